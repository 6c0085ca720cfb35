"""What a spike does to the membrane, in a NIR graph: the nodes' metadata say it, or the person who exports does."""

from __future__ import annotations

from collections.abc import Iterator

import nir

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.neurons.recurrence import reset_mode

RESETS = ("zero", "subtract")
RESETTING = (nir.LIF, nir.IF, nir.CubaLIF)


def reset_origin(graph: nir.NIRGraph) -> str:
    """ "graph" if every neuron that resets says how, else "assumed"."""
    stated = all("reset" in (node.metadata or {}) for _, node in _neurons(graph, ""))
    return "graph" if stated else "assumed"


def state_reset(graph: nir.NIRGraph, reset: str) -> None:
    """Writes into every neuron that resets how it does.

    Args:
        graph: changed in place.
        reset: "zero" or "subtract".

    Raises:
        UserError: another word, or a network that says otherwise.
    """
    if reset not in RESETS:
        raise UserError(f"unknown reset {reset!r}", remedy=f"choose --reset {' or '.join(RESETS)}")
    for name, node in _neurons(graph, ""):
        metadata = dict(node.metadata or {})
        if "reset" in metadata and reset_mode(name, node) != reset:
            raise UserError(
                f"--reset {reset}, but the network says that it resets {_how(reset_mode(name, node))}",
                where=name,
                remedy="leave out --reset, or train it that way",
            )
        node.metadata = {**metadata, "reset": reset}


def _how(reset: str) -> str:
    return "to zero" if reset == "zero" else "by subtraction"


def _neurons(graph: nir.NIRGraph, prefix: str) -> Iterator[tuple[str, nir.NIRNode]]:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            yield from _neurons(node, f"{prefix}{name}.")
        elif isinstance(node, RESETTING):
            yield f"{prefix}{name}", node
