"""Runs networks in Brian2Loihi: the child of benchmarks/brian2loihi_check.py, in an environment of its own.

    python benchmarks/brian2loihi_emulator.py JOB.npz SEEN.npz

Needs brian2-loihi 0.5.2, brian2 2.5.1 and numpy below 1.24 (Python 3.10). Brian2Loihi has no biases: they are added by
Brian's `run_regularly` after decay and current, before the threshold. A bias named "synaptic" comes through
Brian2Loihi's own synapses instead, from a neuron that fires at each step.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from brian2 import TimedArray, ms, prefs
from brian2_loihi import (
    LoihiNetwork,
    LoihiNeuronGroup,
    LoihiSpikeGeneratorGroup,
    LoihiSpikeMonitor,
    LoihiStateMonitor,
    LoihiSynapses,
)

prefs.codegen.target = "numpy"


def main() -> int:
    job, seen = np.load(sys.argv[1]), {}
    for index in range(int(job["networks"])):
        for name, (spikes, membrane) in run(job, f"{index}.", json.loads(str(job[f"{index}.description"]))).items():
            seen[f"{index}.{name}.spikes"], seen[f"{index}.{name}.membrane"] = spikes, membrane
    np.savez_compressed(sys.argv[2], **seen)
    return 0


def run(job, at: str, network: dict) -> dict:
    """population -> (spikes, membranes), [N, T, neurons], in the network's logical time.

    Samples are copies of the network side by side: neuron i of sample n has the number n * size + i.
    """
    samples, steps = network["samples"], network["steps"]
    total = steps + max(p["depth"] for p in network["populations"])
    groups, objects, namespace, monitors = {}, [], {}, {}
    for given in network["inputs"]:
        sent = job[f"{at}{given['name']}.spikes"]
        sample, time, neuron = np.nonzero(sent)
        # a hop takes a step; Brian2Loihi's generator hands over within its step
        groups[given["name"]] = LoihiSpikeGeneratorGroup(
            samples * sent.shape[2], sample * sent.shape[2] + neuron, (time + 1).astype(int)
        )
    for p in network["populations"]:
        group = LoihiNeuronGroup(
            samples * p["size"],
            refractory=p["refractory"],
            threshold_v_mant=p["vth"],
            decay_v=p["dv"],
            decay_I=p["du"] + 1,
        )
        groups[p["name"]] = group
        monitors[p["name"]] = LoihiStateMonitor(group, "v"), LoihiSpikeMonitor(group)
        bias = job[f"{at}{p['name']}.bias"]
        if bias.any() and p["synaptic_bias"]:
            objects += synaptic_bias(group, np.tile(bias, samples), p, total)
        elif bias.any():
            over_time = np.zeros((total, samples * p["size"]))
            over_time[p["depth"] :] = np.tile(bias, samples)
            namespace[f"bias_{p['name']}"] = TimedArray(over_time, dt=1 * ms)
            group.run_regularly(f"v += bias_{p['name']}(t, i)", when="after_groups")
    for s in network["projections"]:
        source, target = job[f"{at}{s['name']}.source"], job[f"{at}{s['name']}.target"]
        weight = job[f"{at}{s['name']}.weight"]
        if not len(weight):
            continue
        synapses = LoihiSynapses(
            groups[s["source"]],
            groups[s["target"]],
            delay=s["wait"],
            w_exp=s["weight_exp"],
            sign_mode=s["sign_mode"],
        )
        copies = np.arange(samples).repeat(len(source))
        sizes = len(groups[s["source"]]) // samples, len(groups[s["target"]]) // samples
        synapses.connect(i=np.tile(source, samples) + copies * sizes[0], j=np.tile(target, samples) + copies * sizes[1])
        synapses.w = np.tile(weight, samples).astype(int)
        objects.append(synapses)
    LoihiNetwork(list(groups.values()), [m for pair in monitors.values() for m in pair], objects).run(
        total, namespace=namespace
    )
    return {p["name"]: logical(*monitors[p["name"]], p, samples, steps) for p in network["populations"]}


def synaptic_bias(group, bias: np.ndarray, p: dict, total: int) -> list:
    """One neuron that fires at each step from the population's first on, one synapse to each neuron with a bias."""
    made, exponent = [], p["synaptic_bias"]["weight_exp"]
    clock = LoihiSpikeGeneratorGroup(1, np.zeros(total - p["depth"], int), np.arange(p["depth"], total))
    made.append(clock)
    for sign_mode, chosen in ((2, np.flatnonzero(bias > 0)), (3, np.flatnonzero(bias < 0))):
        if len(chosen):
            synapses = LoihiSynapses(clock, group, w_exp=exponent, sign_mode=sign_mode)
            synapses.connect(i=np.zeros(len(chosen), int), j=chosen)
            synapses.w = (bias[chosen] // (64 << exponent)).astype(int)
            made.append(synapses)
    return made


def logical(states, fired, p: dict, samples: int, steps: int):
    shape = (samples, p["size"], -1)
    values = np.asarray(states.v)
    membrane = np.rint(values).astype(np.int32)
    if (membrane != values).any():
        raise SystemExit(f"{p['name']}: a membrane that is no whole number")
    spikes = np.zeros(values.shape, np.uint8)
    spikes[np.asarray(fired.i), np.asarray(fired.t)] = 1
    window = slice(p["depth"], p["depth"] + steps)
    return tuple(each.reshape(shape)[:, :, window].swapaxes(1, 2) for each in (spikes, membrane))


if __name__ == "__main__":
    sys.exit(main())
