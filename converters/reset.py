"""What a spike does to the membrane, in a NIR graph: the nodes' metadata say it, or the person who exports does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import nir

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.neuron_dynamics import reset_mode

if TYPE_CHECKING:
    from .source import Source

RESETS = ("zero", "subtract")
RESETTING = (nir.LIF, nir.IF, nir.CubaLIF)


def reset_origin(graph: nir.NIRGraph) -> str:
    """ "graph" if every neuron that resets says how, else "assumed"."""
    stated = all("reset" in (node.metadata or {}) for _, node in _neurons(graph, ""))
    return "graph" if stated else "assumed"


def with_reset(source: Source, reset: str | None) -> Source:
    """The source, its neurons with the reset that was asked for; as it is for None.

    Args:
        reset: "zero" or "subtract".

    Raises:
        UserError: another word, or a network that says otherwise.
    """
    if reset is None:
        return source
    if reset not in RESETS:
        raise UserError(f"unknown reset {reset!r}", remedy=f"choose --reset {' or '.join(RESETS)}")
    for name, node in _neurons(source.graph, ""):
        metadata = dict(node.metadata or {})
        if "reset" in metadata and reset_mode(name, node) != reset:
            raise UserError(
                f"--reset {reset}, but the network says that it resets {_how(reset_mode(name, node))}",
                where=name,
                remedy="leave --reset away, or train it so",
            )
        node.metadata = {**metadata, "reset": reset}
    return replace(source, reset_from="given")


def _how(reset: str) -> str:
    return "to zero" if reset == "zero" else "by subtraction"


def _neurons(graph: nir.NIRGraph, prefix: str) -> Iterator[tuple[str, nir.NIRNode]]:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            yield from _neurons(node, f"{prefix}{name}.")
        elif isinstance(node, RESETTING):
            yield f"{prefix}{name}", node
