"""A network as plain arrays for benchmarks/brian2loihi_emulator.py, whose environment has no dalif-deploy, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipNetwork, ChipOutput, Population, Projection
from dalif_deploy.hw_models.chip_network.synapse_list import synapse_list
from dalif_deploy.hw_models.samples.recording import EncodedInput

MIXED, EXCITATORY, INHIBITORY = 1, 2, 3  # Loihi's sign modes


def job_arrays(
    network: ChipNetwork, encoded: EncodedInput, refractory: dict[str, int], synaptic: dict[str, int]
) -> dict[str, np.ndarray]:
    """Arrays by name; everything that is no array is in "description", JSON.

    Args:
        refractory: population -> steps; 1 is none.
        synaptic: population whose biases come through synapses -> their weight exponent.
    """
    depths, arrays = network.depths(), {}
    for name, messages in encoded.messages.items():
        arrays[f"{name}.spikes"] = messages.reshape(encoded.samples, encoded.steps, -1).astype(np.uint8)
    populations = []
    for name, p in network.populations.items():
        arrays[f"{name}.bias"] = np.broadcast_to(p.bias, p.shape).ravel()
        populations.append(
            {
                **{"name": name, "size": p.size, "fires": p.fires, "depth": depths[name]},
                **{key: int(getattr(p, key)) for key in ("du", "dv", "vth")},
                "refractory": refractory[name],
                "synaptic_bias": {"weight_exp": synaptic[name]} if name in synaptic else None,
            }
        )
    projections = []
    for name, q in network.projections.items():
        listed = synapse_list(q, network.source_shape(q.source), network.populations[q.target].shape)
        for key, values in zip(("source", "target", "weight"), listed, strict=True):
            arrays[f"{name}.{key}"] = values.astype(np.int16)
        positive, negative = (q.weight > 0).any(), (q.weight < 0).any()
        projections.append(
            {
                **{"name": name, "source": q.source, "target": q.target, "weight_exp": q.weight_exp},
                **{"delay": q.delay, "wait": network.pipeline_delay(q, depths)},
                "sign_mode": MIXED if positive and negative else INHIBITORY if negative else EXCITATORY,
            }
        )
    description = {
        **{"samples": encoded.samples, "steps": encoded.steps},
        "inputs": [{"name": i.name, "size": int(np.prod(i.shape))} for i in network.inputs.values()],
        "populations": populations,
        "projections": projections,
    }
    return {"description": np.array(json.dumps(description)), **arrays}


def read_job(arrays: Mapping[str, np.ndarray], at: str) -> tuple[ChipNetwork, EncodedInput, dict[str, int]]:
    """(network, input, refractory time of each population) of `job_arrays`; every projection dense."""
    told = json.loads(str(arrays[f"{at}description"]))
    inputs = {i["name"]: ChipInput(i["name"], (i["size"],), "spikes") for i in told["inputs"]}
    populations = {}
    for p in told["populations"]:
        registers = (np.array(p[key]) for key in ("du", "dv", "vth"))
        bias = arrays[f"{at}{p['name']}.bias"]
        exponent = np.zeros(bias.shape, np.int64)
        while ((bias >> exponent > 4095) | (bias >> exponent < -4096)).any():
            exponent += (bias >> exponent > 4095) | (bias >> exponent < -4096)
        populations[p["name"]] = Population(
            p["name"], (p["size"],), *registers, bias >> exponent, exponent, fires=p["fires"]
        )
    network = ChipNetwork("loihi1", told["steps"], inputs, populations, {}, {}, {})
    for q in told["projections"]:
        weight = np.zeros((populations[q["target"]].size, network.source_shape(q["source"])[0]), np.int16)
        source, target, given = (arrays[f"{at}{q['name']}.{key}"] for key in ("source", "target", "weight"))
        weight[target, source] = given
        network.projections[q["name"]] = Projection(
            q["name"], q["source"], q["target"], weight, q["weight_exp"], None, q["delay"]
        )
    last = told["populations"][-1]["name"]
    network.outputs["out"] = ChipOutput("out", last, "membrane")
    messages = {name: arrays[f"{at}{name}.spikes"].astype(np.int32) for name in inputs}
    refractory = {p["name"]: p["refractory"] for p in told["populations"]}
    return network, EncodedInput(told["steps"], told["samples"], messages), refractory
