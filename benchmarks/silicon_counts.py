"""Counts what networks did that others measured on Loihi: hw_models/energy/silicon/events.json.

    python -m benchmarks.silicon_counts --sources FOLDER --mnist FOLDER

FOLDER of sources holds the files that the networks' authors published, under their own names: a_minist_model.h5,
mnist-convnet.pth, w_in.npy, w_rec.npy, w_out.npy, dvs_challenge.npz, ntidigits.net, netLoihi_rec_th10.net (where each
is from: benchmarks/silicon/*.py). They are not part of this project. A network whose file is missing is left as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pilotnet import pilotnet
from benchmarks.silicon.acoustic_autoencoder import autoencoder_events
from benchmarks.silicon.dvs_gesture import dvs_gesture
from benchmarks.silicon.keyword import branch_events, keyword_events
from benchmarks.silicon.lif_pair import BIAS, lif_pair
from benchmarks.silicon.lsnn_smnist import lsnn_events
from benchmarks.silicon.nxtf_mnist import nxtf_mnist
from benchmarks.silicon.quartz_mnist import quartz_events
from benchmarks.silicon.s4d_cifar import s4d_events
from benchmarks.silicon.slayer import slayer
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.latency import core_loads
from dalif_deploy.hw_models.energy.silicon import Events
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.samples.input_data import take_samples
from dalif_deploy.hw_models.samples.recording import EncodedInput

FILE = Path(__file__).parents[1] / "hw_models" / "energy" / "silicon" / "events.json"
PILOTNET_CORES = {"0": 25, "1": 13, "2": 3, "3": 3, "4": 2, "5": 12, "6": 1, "7": 1, "8": 1}  # the notebook's table
QUARTZ_STEPS = (8, 16, 32, 64, 128)
RATES = {"low": 0.0, "value": 0.05, "high": 0.2}  # events a channel and step, where nobody states them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--mnist", type=Path, help="data root with MNIST")
    parser.add_argument("--only", nargs="*", help="these networks alone")
    asked = parser.parse_args()
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name, count in jobs(asked.sources, asked.mnist).items():
        if asked.only and not name.startswith(tuple(asked.only)):
            continue
        try:
            found[name] = count()
        except FileNotFoundError as error:
            print(f"{name}: left as it is, {error.filename} is missing", file=sys.stderr)
            continue
        print(name, flush=True)
    with atomic_file(FILE, own_place=True) as path:
        path.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")


def jobs(sources: Path, mnist: Path | None) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name of an entry -> what counts it."""

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        data = load_data("mnist:test", mnist)
        inputs = np.asarray(take_samples(data.inputs, slice(count)))
        return np.rint(inputs.reshape(-1, 28, 28) * 255).astype(np.uint8), np.asarray(data.labels)[:count]

    def nxtf() -> dict[str, Any]:
        network, encoded = nxtf_mnist(sources / "a_minist_model.h5", images(8)[0], 100)
        return _entry(value=_counted(network, encoded, cores=14), samples=8)

    def quartz(steps: int) -> dict[str, Any]:
        return _entry(value=quartz_events(sources / "mnist-convnet.pth", images(100)[0], steps), samples=100)

    def lsnn() -> dict[str, Any]:
        events, accuracy = lsnn_events(sources, *images(200))
        return {**_entry(value=events, samples=200), "accuracy": accuracy}

    def gesture() -> dict[str, Any]:
        network, encoded = dvs_gesture(sources / "dvs_challenge.npz")
        return _entry(value=_counted(network, encoded, cores=42), samples=1)

    def trained(file: str, steps: int, cores: int) -> dict[str, Any]:
        ends = {}
        for end, rate in RATES.items():
            network, encoded = slayer(sources / file, rate, steps)
            ends[end] = _counted(network, encoded, cores=cores)
        return _entry(**ends, samples=1)

    def pair(rate: int) -> dict[str, Any]:
        network, encoded = lif_pair(rate)
        return _entry(value=_each_step(_counted(network, encoded, cores=[1, 1])), samples=1)

    def pilot() -> dict[str, Any]:
        network, encoded = pilotnet()
        events = _counted(network, encoded, cores=list(PILOTNET_CORES.values()))
        # the input layer, 39,600 neurons with a bias each, is not in the network that is read
        (given,) = network.inputs.values()
        inputs = float(np.prod(given.shape)) * encoded.steps
        return _entry(value=events.model_copy(update={"updates_active": events.updates_active + inputs}), samples=1)

    def ends(count: Callable[[float], Events], low: float, value: float, high: float) -> dict[str, Any]:
        return _entry(low=count(low), value=count(value), high=count(high), samples=0)

    return {
        "nxtf_mnist": nxtf,
        **{f"quartz_mnist_{steps}": lambda steps=steps: quartz(steps) for steps in QUARTZ_STEPS},
        "lsnn_smnist": lsnn,
        "dvs_gesture": gesture,
        "slayer_digits": lambda: trained("ntidigits.net", 300, 6),
        "slayer_touch": lambda: trained("netLoihi_rec_th10.net", 270, 53),
        "pilotnet": pilot,
        **{f"lif_pair_{rate}": lambda rate=rate: pair(rate) for rate in BIAS},
        "acoustic_autoencoder": lambda: _entry(value=autoencoder_events(), samples=0),
        "s4d_cifar": lambda: ends(s4d_events, 0.0, 0.5, 1.0),
        "keyword": lambda: ends(keyword_events, 0.0, 0.1, 0.5),
        "keyword_branch": lambda: ends(branch_events, 0.0, 0.1, 0.5),
    }


def _entry(*, value: Events, low: Events | None = None, high: Events | None = None, samples: int) -> dict[str, Any]:
    return {
        "samples": samples,
        "value": value.model_dump(),
        "low": low.model_dump() if low else None,
        "high": high.model_dump() if high else None,
    }


def _each_step(events: Events) -> Events:
    """The mean of one step; the busiest core is of a step as it is."""
    per_step = {"busiest_operations", "busiest_neurons"}
    found = events.model_dump()
    return Events(**{key: value if key in per_step else value / events.steps for key, value in found.items()})


def _counted(network: ChipNetwork, encoded: EncodedInput, cores: int | list[int]) -> Events:
    """Events on this project's mapping; the busiest core by the published number of cores, loads spread evenly.

    Args:
        cores: of each population in turn, or of all: then spread as this project's mapping spreads them.
    """
    mapping = map_network(network)
    counts = count_activity(network, encoded, mapping=mapping)
    assert counts.traffic is not None
    dense = {p.target for p in network.projections.values() if p.geometry is None}
    operations = {True: 0.0, False: 0.0}
    for counted in counts.projections.values():
        operations[counted.target in dense] += float(np.mean(counted.synaptic_operations))
    loads, neurons = core_loads(network, encoded, mapping)
    if isinstance(cores, list):
        spread = dict(zip(network.populations, cores, strict=True))
    else:
        wider = cores / len(mapping.cores)
        spread = {name: len(here) * wider for name, here in neurons.items()}
    each = {name: loads[name].sum(2) / spread[name] for name in network.populations}  # [samples, steps]
    seated = {name: network.populations[name].size / spread[name] for name in network.populations}
    names = list(each)
    time = np.stack([each[name] * 3.5 + seated[name] * 8.4 for name in names])
    busiest = time.argmax(0)
    traffic = {kind: float(np.mean(count)) for kind, count in counts.traffic.counts.items()}
    return Events(
        steps=encoded.steps,
        synaptic_operations_dense=operations[True],
        synaptic_operations_convolution=operations[False],
        updates_active=float(np.mean(counts.updates_active())),
        updates_inactive=float(np.mean(counts.updates_inactive())),
        spikes=float(np.mean(counts.spikes())),
        messages=traffic["messages"] - traffic["from_input"],
        messages_from_outside=traffic["from_input"],
        hops_east_west=traffic["hops_east_west"],
        hops_north_south=traffic["hops_north_south"],
        busiest_operations=float(np.mean(np.choose(busiest, [each[name] for name in names]))),
        busiest_neurons=float(np.mean(np.array([seated[name] for name in names])[busiest])),
    )


if __name__ == "__main__":
    main()
