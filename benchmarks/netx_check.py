"""Loads exported .net files with lava-dl itself and compares every spike with this project's simulator.

    nox -s netx                                   # makes both environments and does all of what follows

Two steps, because lava-dl 0.6 wants Python 3.10 and an old torch of its own:

    python benchmarks/netx_check.py prepare DIR samples.npz --data digits:test  # where dalif-deploy is
    python benchmarks/netx_check.py run DIR/network.net samples.npz             # where lava-dl is

`prepare` writes the messages of the samples, and spikes and the readout's membrane as the simulator gives them; `run`
streams the samples through netx's network, each followed by the gap that the pipeline needs, and counts differences.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    first = verbs.add_parser("prepare")
    first.add_argument("folder")
    first.add_argument("samples")
    first.add_argument("--data", required=True)
    first.add_argument("--limit", type=int, default=20)
    second = verbs.add_parser("run")
    second.add_argument("net")
    second.add_argument("samples")
    second.add_argument("--save", help="write what netx gave")
    arguments = parser.parse_args()
    if arguments.verb == "prepare":
        prepare(arguments)
        return 0
    return run(arguments.net, arguments.samples, arguments.save)


def prepare(arguments: argparse.Namespace) -> None:
    from converters.artefact import load_artefact
    from dalif_deploy.data import load_data
    from hw_models.encode_input import encode_input
    from hw_models.input_data import take_samples
    from hw_models.simulator import simulate

    artefact = load_artefact(arguments.folder)
    network = artefact.network
    data = load_data(arguments.data, steps=network.steps)
    encoded = encode_input(network, take_samples(data.inputs, slice(arguments.limit)))
    (messages,) = encoded.messages.values()
    recording = simulate(network, encoded, record=("spikes", "membrane"))
    layers = list(network.populations)
    np.savez_compressed(
        arguments.samples,
        messages=np.broadcast_to(messages, (encoded.samples, encoded.steps, *messages.shape[2:])),
        layers=np.array(layers),
        options=np.array(
            [artefact.export["netx"][k] for k in ("input_message_bits", "reset_interval", "reset_offset")]
        ),
        **{f"{name}.spikes": recording.spikes[name] for name in layers},
        membrane=recording.membrane[layers[-1]],
    )


def run(net: str, samples: str, save: str | None) -> int:
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.monitor.process import Monitor

    file = np.load(samples)
    messages, names = file["messages"], list(file["layers"])
    bits, interval, offset = (int(value) for value in file["options"])
    count, steps = messages.shape[:2]
    network = netx.hdf5.Network(net_config=net, input_message_bits=bits, reset_interval=interval, reset_offset=offset)
    print(network)
    total = count * interval
    # Lava's order: (W, H, C); a dense first layer takes the image flattened, channels first
    stream = np.zeros((*network.inp.shape, total), dtype=int)
    for n in range(count):
        for t in range(steps):
            image = messages[n, t]
            stream[..., n * interval + t] = image.T if image.ndim == len(network.inp.shape) else image.ravel()
    source = Source(data=stream)
    source.s_out.connect(network.inp)
    sinks = []
    for layer in network.layers:
        sinks.append(Sink(shape=layer.out.shape, buffer=total))
        layer.out.connect(sinks[-1].a_in)
    monitor = Monitor()
    monitor.probe(network.layers[-1].neuron.v, total)
    network.run(condition=RunSteps(num_steps=total), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    seen = [sink.data.get() for sink in sinks]
    (probe,) = monitor.get_data().values()
    membrane = np.moveaxis(next(iter(probe.values())), 0, -1)
    network.stop()
    expected = [*(f"{name}.spikes" for name in names), "membrane"]
    depths = [*range(1, len(names) + 1), len(names)]
    given = {
        key: logical(values, file[key].shape, interval, depth)
        for key, values, depth in zip(expected, [*seen, membrane], depths, strict=True)
    }
    if save:
        np.savez_compressed(save, messages=messages, layers=file["layers"], **given)
    wrong = 0
    for key, found in given.items():
        differ = int((found != file[key]).sum())
        print(f"{key}: {found.size:,} values compared, {differ} mismatches, {int((found != 0).sum()):,} not zero")
        wrong += differ
    return 1 if wrong else 0


def logical(values: np.ndarray, shape: tuple[int, ...], interval: int, depth: int) -> np.ndarray:
    """Lava's [*(W, H, C), time] as [N, T, C, H, W]; layer `depth` works `depth` steps behind the input."""
    count, steps = shape[:2]
    found = np.zeros(shape, dtype=np.int64)
    for n in range(count):
        for t in range(steps):
            each = values[..., n * interval + t + depth]
            found[n, t] = each.T.reshape(shape[2:])
    return found


if __name__ == "__main__":
    sys.exit(main())
