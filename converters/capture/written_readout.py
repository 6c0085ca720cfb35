"""A readout that a forward adds up itself, `out = beta * out + fc(spikes)`: neurons without a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from .expansion import Expansions
from .filters import written_filter
from .fold import Signatures
from .neuron_nodes import leaky
from .population import Neuron, NeuronCall, NeuronNodes, Population
from .values import NeuronValue, Operation, Ranked, Still, Untold, Value


def readout_of(values: list[Value], signatures: Signatures, populations: list[Population]) -> NeuronValue | None:
    """The membrane of such a readout, added to `populations`, if `values`, one a step, are its states; else None."""
    last = len(values) - 1
    if not isinstance(values[last], Operation) or any(isinstance(v, Ranked | Untold) for v in values):
        return None
    expansions = Expansions()
    if not _is_a_state(values, signatures, expansions):
        return None
    name = _free_name(values[last], populations)
    found = written_filter(values, values[last].shape, name, expansions)
    if found is None or not found.decays or np.any(found.offset):
        return None
    p = Population(name, nn.Identity(), Neuron(_call, _nodes(found.decays), fires=False), values[last].shape)
    p.inputs, p.folded, p.recorded = found.inputs, True, False
    populations.append(p)
    return NeuronValue(p.shape, p, last, "membrane")


def _is_a_state(values: list[Value], signatures: Signatures, expansions: Expansions) -> bool:
    """True if the steps differ in what they are made of."""
    last = len(values) - 1
    if len(expansions.steps(values[last])) > 3:
        return True
    form = signatures(values[last], last)
    return any(
        signatures(value, step) != form for step, value in enumerate(values) if step and not isinstance(value, Still)
    )


def _free_name(value: Value, populations: list[Population]) -> str:
    name = label = (value.name if isinstance(value, Operation) else "") or "readout"
    number, taken = 1, {p.name for p in populations}
    while label in taken:
        number += 1
        label = f"{name}_{number}"
    return label


def _call(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> NeuronCall:
    raise AssertionError("a readout that is written out is no module")


def _nodes(decays: tuple[Any, ...]) -> Any:
    *synapse, beta = decays

    def nodes(shape: tuple[int, ...]) -> NeuronNodes:
        filtered = (synapse[0], 1.0) if synapse else None
        return NeuronNodes(leaky(shape, beta=beta, gain=1.0, threshold=None, reset="zero", synapse=filtered))

    return nodes
