"""Which framework wrote a graph, where the names of its nodes give it away; no file states it."""

from __future__ import annotations

from dalif_deploy.hw_models.graph.flat_graph import FlatGraph


def likely_writer(flat: FlatGraph) -> str | None:
    """The framework and what speaks for it; None where nothing does."""
    names = list(flat.nodes)
    for name in names:
        if name.endswith("NeuronTorch"):
            return f"Rockpool (its module's name in node {name})"
    for name in names:
        if name.endswith(".w_rec") and f"{name.removesuffix('.w_rec')}.lif" in flat.nodes:
            return f"snnTorch (a recurrent layer written as {name} and {name.removesuffix('w_rec')}lif)"
    return None
