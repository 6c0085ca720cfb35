"""Loads .net files with lava-dl itself and compares every spike with this project's simulator.

    nox -s netx                                   # makes both environments and does all of what follows

Two steps for an exported network, because lava-dl 0.6 wants Python 3.10 and an old torch of its own:

    python benchmarks/netx_check.py prepare DIR samples.npz --data digits:test  # where dalif-deploy is
    python benchmarks/netx_check.py run DIR/network.net samples.npz             # where lava-dl is
    python -m benchmarks.netx_check random --networks 100                       # there too, from the repository's root

`prepare` writes the messages of the samples, and spikes and the readout's membrane as the simulator gives them; `run`
streams the samples through netx's network, each followed by the gap that the pipeline needs, and counts differences.
`random` does so with files as SLAYER writes them (tests/random_net_files.py), read by `read_net`.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
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
    third = verbs.add_parser("random")
    third.add_argument("--networks", type=int, default=100)
    third.add_argument("--seed", type=int, default=0)
    third.add_argument("--save", help="write the files and what netx gave")
    arguments = parser.parse_args()
    if arguments.verb == "prepare":
        prepare(arguments)
        return 0
    if arguments.verb == "random":
        _old_torch()
        return check_random(arguments.networks, arguments.seed, arguments.save)
    return run(arguments.net, arguments.samples, arguments.save)


def _old_torch() -> None:
    """lava-dl pins a torch before 2.4, which can't say whether it casts by itself; nothing here asks it to."""
    import torch

    if not hasattr(torch.amp, "is_autocast_available"):
        torch.amp.is_autocast_available = lambda _: False


def prepare(arguments: argparse.Namespace) -> None:
    from dalif_deploy.converters.artefact import load_artefact
    from dalif_deploy.data import load_data
    from dalif_deploy.hw_models.samples.encode import encode_input
    from dalif_deploy.hw_models.samples.input_data import take_samples
    from dalif_deploy.hw_models.simulator import simulate

    artefact = load_artefact(arguments.folder)
    network, how = artefact.network, artefact.export["netx"]
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
            [how["input_message_bits"], how["reset_interval"], how["reset_offset"], how["samples_a_run"] or 0]
        ),
        **{f"{name}.spikes": recording.spikes[name] for name in layers},
        membrane=recording.membrane[layers[-1]],
    )


def run(net: str, samples: str, save: str | None) -> int:
    file = np.load(samples)
    messages, names = file["messages"], [str(name) for name in file["layers"]]
    bits, gap, offset, each_run = (int(value) for value in file["options"])
    runs = np.split(messages, len(messages)) if each_run == 1 else [messages]
    parts = []
    for part in runs:
        stream = np.zeros((len(part) * gap, *messages.shape[2:]), dtype=int)
        for n, sample in enumerate(part):
            stream[n * gap : n * gap + len(sample)] = sample
        options = {"input_message_bits": bits, "reset_interval": gap, "reset_offset": offset}
        spikes, membrane = in_netx(net, len(stream), stream=stream, **options)
        depths = [*range(1, len(names) + 1), len(names)]
        shapes = [file[key].shape[2:] for key in keys(names)]
        values = [*spikes, membrane]
        parts.append(
            [
                np.stack([logical(each, shape, n * gap + depth, messages.shape[1]) for n in range(len(part))])
                for each, shape, depth in zip(values, shapes, depths, strict=True)
            ]
        )
    given = {key: np.concatenate(each) for key, each in zip(keys(names), zip(*parts, strict=True), strict=True)}
    if save:
        np.savez_compressed(save, messages=messages, layers=file["layers"], **given)
    return 1 if sum(mismatches(key, given[key], file[key]) for key in given) else 0


def check_random(networks: int, seed: int, save: str | None) -> int:
    from dalif_deploy.converters.netx.read import read_net
    from dalif_deploy.hw_models.samples.encode import encode_input
    from dalif_deploy.hw_models.simulator import simulate
    from tests.random_net_files import random_net_file

    rng, steps, wrong, compared, fired = np.random.default_rng(seed), 12, 0, 0, 0
    saved: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(networks):
            path = Path(folder) / f"{index}.net"
            data = random_net_file(path, rng, steps=steps)
            network = replace(read_net(path), steps=steps)
            names, by_bias = list(network.populations), bool(network.host_projections)
            x = natural_values(path, data) if by_bias else data
            recording = simulate(network, encode_input(network, x[None]), record=("spikes", "membrane"))
            # (C, H, W) to Lava's (W, H, C); a dense layer behind them wants a vector
            fed = {"bias": data.T} if by_bias else {"stream": data}
            total = steps + len(names) + 1
            # layers with a bias integrate it while the pipeline fills
            reset = {"reset_interval": total + 1, "reset_offset": int(not by_bias)}
            spikes, membrane = in_netx(str(path), total, **fed, **reset)
            expected = [*(recording.spikes[name][0] for name in names), recording.membrane[names[-1]][0]]
            depths = [*range(not by_bias, len(names) + (not by_bias))]
            for key, found, mine, depth in zip(
                keys(names), [*spikes, membrane], expected, [*depths, depths[-1]], strict=True
            ):
                theirs = logical(found, mine.shape[1:], depth, steps)
                differ = int((theirs != mine).sum())
                if differ:
                    print(f"network {index}, {key}: {differ} of {mine.size} differ")
                wrong, compared, fired = wrong + differ, compared + mine.size, fired + int((theirs != 0).sum())
                saved[f"{index}.{key}"] = theirs.astype(np.int32 if key == "membrane" else np.uint8)
            saved[f"{index}.net"] = np.frombuffer(compressed(path), dtype=np.uint8)
            saved[f"{index}.input"] = x
    print(f"{networks} networks: {compared:,} values compared, {wrong} mismatches, {fired:,} not zero")
    if save:
        np.savez_compressed(save, **saved)
    return 1 if wrong else 0


def natural_values(path: Path, mantissas: np.ndarray) -> np.ndarray:
    """The data whose transform by the input layer, weight * x + bias, gives these mantissas."""
    with h5py.File(path) as file:
        return (mantissas - file["layer/0/bias"][0]) / file["layer/0/weight"][0]


def compressed(path: Path) -> bytes:
    """The file without HDF5's unused space."""
    target = io.BytesIO()
    with h5py.File(path) as source, h5py.File(target, "w", libver="latest") as file:
        source.copy("layer", file)
    return target.getvalue()


def in_netx(net: str, total: int, *, stream: np.ndarray | None = None, bias: np.ndarray | None = None, **options):
    """Runs netx's network in Lava.

    Args:
        stream: messages [total, *shape]; None where the input layer's neurons take a `bias` mantissa each.
        options: of `netx.hdf5.Network`.

    Returns:
        Spikes of each layer and the last one's membrane, each [*(W, H, C), total].
    """
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.monitor.process import Monitor

    network = netx.hdf5.Network(net_config=net, **options)
    if stream is not None:
        # Lava's order: (W, H, C); a dense first layer takes the image flattened, channels first
        fits = len(network.inp.shape) == stream.ndim - 1
        source = Source(data=stream.T if fits else stream.reshape(len(stream), -1).T)
        source.s_out.connect(network.inp)
    else:
        network.in_layer.neuron.bias_mant.init = bias
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
    return seen, membrane


def keys(names: list[str]) -> list[str]:
    return [*(f"{name}.spikes" for name in names), "membrane"]


def logical(values: np.ndarray, shape: tuple[int, ...], start: int, steps: int) -> np.ndarray:
    """Lava's [*(W, H, C), time] from `start` on as [T, C, H, W]; layer n works n steps behind the input."""
    return np.stack([values[..., start + t].T.reshape(shape) for t in range(steps)]).astype(np.int64)


def mismatches(key: str, found: np.ndarray, expected: np.ndarray) -> int:
    differ = int((found != expected).sum())
    print(f"{key}: {found.size:,} values compared, {differ} mismatches, {int((found != 0).sum()):,} not zero")
    return differ


if __name__ == "__main__":
    sys.exit(main())
