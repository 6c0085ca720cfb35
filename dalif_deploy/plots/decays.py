"""Decays a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.flat_graph import flatten_graph
from dalif_deploy.hw_models.neurons import neuron_dynamics
from dalif_deploy.networks import SpikingNetwork
from dalif_deploy.plots.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decays(network: Artefact | SpikingNetwork, *, axes: Axes | None = None) -> Axes:
    """alpha (what a step's input counts) and beta (what stays of the membrane) of each spiking layer, by depth.

    A layer with a value a channel or a neuron has a bar from the lowest to the highest, its median marked.

    Args:
        network: an exported network, or one of dalif-train.
        axes: to draw on; by default those of a new figure.

    Raises:
        UserError: nothing in it spikes; matplotlib is not installed.
    """
    graph, dt = (network.reference, network.dt) if isinstance(network, Artefact) else (network_to_nir(network, dt=1), 1)
    flat = flatten_graph(graph)
    neurons = {n: neuron_dynamics(n, flat.nodes[n], dt) for n in flat.order() if flat.is_neuron(n)}
    layers = {name: d for name, d in neurons.items() if d.threshold is not None}
    if not layers:
        raise UserError("no spiking layer", remedy="give a network with neurons")
    axes = axes_or_new(axes)
    places = np.arange(len(layers))
    # a trained network's alpha is folded into the weights before it; the node keeps what it was
    alphas = [flat.nodes[name].metadata.get("alpha", d.gain) for name, d in layers.items()]
    for shift, name, found in ((-0.1, "alpha", alphas), (0.1, "beta", [d.beta for d in layers.values()])):
        values = [np.asarray(each, dtype=np.float64) for each in found]
        middle = np.array([np.median(v) for v in values])
        reach = np.stack([middle - [v.min() for v in values], [v.max() for v in values] - middle])
        axes.errorbar(places + shift, middle, reach, fmt="o", capsize=3, label=name)
    axes.set_xticks(places, list(layers), rotation=30 if len(layers) > 6 else 0)
    axes.set(ylabel="decay", xlabel="layer")
    axes.legend()
    return axes
