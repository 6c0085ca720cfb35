"""Simulators that read a NIR graph: graph, x [N, T] or [N, T, *shape] -> what comes out, [N, T] or [N, T, outputs].

[N, T] is for a graph with one input and one output neuron.

Each reads with the time step that it takes when nobody says one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from io import StringIO

import nir
import numpy as np
import torch


def ours(graph: nir.NIRGraph, x: np.ndarray) -> np.ndarray:
    from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT
    from dalif_deploy.hw_models.reference import run_reference

    (out,) = run_reference(graph, _with_shape(x), dt=DT_DEFAULT).outputs.values()
    return _as_given(out, x)


def chip(graph: nir.NIRGraph, x: np.ndarray) -> np.ndarray:
    """Loihi 2's integers, in the simulator that gives Lava's bits; the input as graded spikes."""
    from dalif_deploy.hw_models.compiler import compile_graph
    from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT
    from dalif_deploy.hw_models.samples.encode import encode_input
    from dalif_deploy.hw_models.simulator import simulate

    steps = x.shape[1]
    largest = float(np.abs(x).max()) or 1.0
    network = compile_graph(
        graph,
        chip="loihi2",
        steps=steps,
        dt=DT_DEFAULT,
        input_mode="graded",
        input_step=largest / LEVELS,
        input_range=(-largest, largest),
    ).network
    spikes = simulate(network, encode_input(network, x[..., None]), record=("spikes",)).spikes
    return spikes["n"][..., 0].astype(float)


def norse(graph: nir.NIRGraph, x: np.ndarray) -> np.ndarray:
    import norse.torch

    return _stepped(norse.torch.from_nir(graph), x)


def snntorch(graph: nir.NIRGraph, x: np.ndarray) -> np.ndarray:
    from snntorch.import_nir import import_from_nir

    with redirect_stdout(StringIO()):
        return _stepped(import_from_nir(graph), x)


def spikingjelly(graph: nir.NIRGraph, x: np.ndarray) -> np.ndarray:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return _stepped(import_from_nir(graph), x)


def sinabs(graph: nir.NIRGraph, x: np.ndarray) -> np.ndarray:
    from sinabs.nir import from_nir

    flat = torch.from_numpy(_with_shape(x)).float().flatten(0, 1)
    with torch.no_grad():
        out = from_nir(graph, batch_size=len(x))(flat)
    return _as_given(_plain(out[0] if isinstance(out, tuple) else out), x)


def _stepped(model: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    state, outs = None, []
    with torch.no_grad():
        for step in torch.from_numpy(_with_shape(x)).float().unbind(1):
            out, state = model(step, state)
            outs.append(_plain(out))
    return _as_given(np.stack(outs, 1), x)


def _with_shape(x: np.ndarray) -> np.ndarray:
    return x[..., None] if x.ndim == 2 else x


def _as_given(out: np.ndarray, x: np.ndarray) -> np.ndarray:
    out = out.reshape(*x.shape[:2], -1)
    return out[..., 0] if x.ndim == 2 else out


def _plain(out: object) -> np.ndarray:
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"gives a {type(out).__name__}, not a tensor")
    return out.detach().numpy().astype(float)


LEVELS = 127  # inputs are whole multiples of the largest / LEVELS, so that the chip's messages hold them exactly

# name in the table, packages, function
READERS: list[tuple[str, tuple[str, ...], Callable[[nir.NIRGraph, np.ndarray], np.ndarray]]] = [
    ("reference", ("dalif-deploy",), ours),
    ("loihi2 integers", ("dalif-deploy",), chip),
    ("Norse", ("norse", "nirtorch"), norse),
    ("snnTorch", ("snntorch", "nirtorch"), snntorch),
    ("SpikingJelly", ("spikingjelly", "nirtorch"), spikingjelly),
    ("sinabs", ("sinabs", "nirtorch"), sinabs),
]


def versions() -> dict[str, str]:
    """Package -> version, of all readers and what carries them."""
    found = {}
    for name in sorted({package for _, packages, _ in READERS for package in packages} | {"nir", "torch", "numpy"}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
