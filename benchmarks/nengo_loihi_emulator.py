"""Runs networks in nengo-loihi's neurons: a child of benchmarks/brian2loihi_check.py, in an environment of its own.

    python benchmarks/nengo_loihi_emulator.py JOB.npz SEEN.npz

Needs nengo-loihi 1.1.0, nengo below 4 and numpy below 1.24 (Python 3.10). Decays, biases, thresholds, refractory times
and overflow are its emulator's (`CompartmentState`), whose authors held it against Loihi 1; sums of arriving weights
are formed here, because its emulator has no synaptic delays.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from nengo_loihi.block import LoihiBlock
from nengo_loihi.emulator.interface import BlockInfo, CompartmentState

REGISTERS = ("decay_u", "decay_v", "vth", "bias", "vmin", "vmax")
MEMBRANE_LIMIT = (1 << 23) - 1


def main() -> int:
    job, seen = np.load(sys.argv[1]), {}
    for index in range(int(job["networks"])):
        for name, (spikes, membrane) in run(job, f"{index}.", json.loads(str(job[f"{index}.description"]))).items():
            seen[f"{index}.{name}.spikes"], seen[f"{index}.{name}.membrane"] = spikes, membrane
    np.savez_compressed(sys.argv[2], **seen)
    return 0


def run(job, at: str, network: dict) -> dict:
    """population -> (spikes, membranes), [N, T, neurons], in the network's logical time."""
    samples, steps = network["samples"], network["steps"]
    sent = {i["name"]: job[f"{at}{i['name']}.spikes"].astype(np.int64) for i in network["inputs"]}
    membranes, neurons = {}, {}
    for p in network["populations"]:
        sent[p["name"]], membranes[p["name"]] = (np.zeros((samples, steps, p["size"]), np.int64) for _ in range(2))
        neurons[p["name"]] = compartments(p, np.tile(job[f"{at}{p['name']}.bias"], samples), samples)
    synapses = {}
    for q in network["projections"]:
        matrix = np.zeros((sent[q["source"]].shape[2], sent[q["target"]].shape[2]), np.int64)
        source, target, weight = (
            job[f"{at}{q['name']}.{key}"].astype(np.int64) for key in ("source", "target", "weight")
        )
        matrix[source, target] = weight << (6 + q["weight_exp"])
        synapses.setdefault(q["target"], []).append((q["source"], matrix, q["delay"]))
    rng = np.random.RandomState(0)
    for t in range(steps):
        for p in sorted(network["populations"], key=lambda p: p["depth"]):
            name = p["name"]
            state = neurons[name]
            arriving = np.zeros((samples, p["size"]), np.int64)
            for source, matrix, delay in synapses.get(name, []):
                if t >= delay:
                    arriving += sent[source][:, t - delay] @ matrix
            state.input[0, :] = arriving.ravel()
            state.update(rng)
            sent[name][:, t] = state.spiked.reshape(samples, -1)
            membranes[name][:, t] = state.voltage.reshape(samples, -1)
    return {
        p["name"]: (sent[p["name"]].astype(np.uint8), membranes[p["name"]].astype(np.int32))
        for p in network["populations"]
    }


def compartments(p: dict, bias: np.ndarray, samples: int) -> CompartmentState:
    """All samples of a population side by side, at rest."""
    block = LoihiBlock(samples * p["size"])
    values = (p["du"], p["dv"], p["vth"] * 64, bias, -MEMBRANE_LIMIT, MEMBRANE_LIMIT)
    for register, value in zip(REGISTERS, values, strict=True):
        shape = np.shape(getattr(block.compartment, register))
        setattr(block.compartment, register, np.full(shape, value, np.int32) if shape else np.int32(value))
    block.compartment.scale_u = block.compartment.scale_v = False
    block.compartment.refract_delay = np.full(samples * p["size"], p["refractory"], np.int32)
    return CompartmentState(BlockInfo([block]), strict=False)


if __name__ == "__main__":
    sys.exit(main())
