"""What the models say of themselves in metadata_props: names and texts, numbers as JSON."""

from __future__ import annotations

import json

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph
from dalif_deploy.hw_models.neurons import neuron_dynamics
from dalif_deploy.hw_models.neurons.recurrence import compact

from ..source import Source
from ..versions import installed_version


def source_metadata(source: Source, flat: FlatGraph, steps: int) -> dict[str, str]:
    """Where the network comes from, its time, and `LAYER.alpha`, `.beta`, `.threshold` of each neuron layer.

    A number for the layer, or nested lists that broadcast against the layer's shape. A network of dalif-train gives
    alpha as trained: there it is folded into the weights before the layer.
    """
    found = {
        "dt": json.dumps(source.dt),
        "steps": json.dumps(steps),
        "source.file": source.path.name,
        "source.sha256": source.sha256,
        "dalif-deploy": installed_version("dalif-deploy"),
    }
    for name in flat.neurons:
        node = flat.nodes[name]
        dynamics = neuron_dynamics(name, node, source.dt)
        values = {"alpha": dynamics.gain, "beta": dynamics.beta, "threshold": dynamics.threshold}
        trained = getattr(node, "metadata", None) or {}
        for key, value in values.items():
            if np.asarray(trained.get(key)).dtype.kind in "if":
                value = np.asarray(trained[key])
            if value is not None:
                found[f"{name}.{key}"] = _text(np.asarray(value))
    return found


def initial_state(initial: dict[str, np.ndarray]) -> dict[str, str]:
    """`initial.STATE` of each state that does not begin at 0."""
    return {f"initial.{name}": _text(value) for name, value in initial.items() if value.any()}


def chip_metadata(network: ChipNetwork) -> dict[str, str]:
    """The chip, how data becomes messages (`input.NAME`) and how integers become units (`LAYER.scale`)."""
    found = {"chip": network.chip, "steps": json.dumps(network.steps)}
    for name, item in network.inputs.items():
        how = {"mode": item.mode, "step": item.step, "min_level": item.min_level, "max_level": item.max_level}
        found[f"input.{name}"] = json.dumps(how)
    for name, population in network.populations.items():
        found[f"{name}.scale"] = _text(population.scale)
    for name, output in network.outputs.items():
        read: dict[str, str] = {"population": output.population, "mode": output.mode}
        if output.over_time is not None:
            read["over_time"] = output.over_time
        found[f"output.{name}"] = json.dumps(read)
    return found


def _text(array: np.ndarray) -> str:
    return json.dumps(compact(np.asarray(array, np.float64)).tolist())
