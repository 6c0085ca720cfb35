"""The compiled network as an ONNX model of integers: the bits of `hw_models.chip_network`, T steps in one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.hw_models.arithmetic import require_arithmetic
from dalif_deploy.hw_models.arithmetic.lava.exactness import population_bounds
from dalif_deploy.hw_models.chip_network.form import SYNAPSE_SHIFT, ChipNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput

from .builder import TIME, GraphBuilder, Value
from .integer_population import IntegerPopulation
from .integer_synapses import IntegerSynapses
from .metadata import chip_metadata

if TYPE_CHECKING:
    import onnx


def chip_model(
    network: ChipNetwork, metadata: dict[str, str] | None = None, *, biased: Collection[str] | None = None
) -> onnx.ModelProto:
    """The network over the `steps` of one sample.

    Inputs (`chip_inputs` makes them): `INPUT.messages` int32 [N, T, *shape] or [N, 1, *shape], for every input but
    those of mode "bias"; `POPULATION.bias` int32 [N, *shape] = mant * 2^exp, the sample's own bias, for `biased`.
    Outputs: `POPULATION.spikes` uint8 and `POPULATION.membrane` int32 (after the reset), [N, T, *shape]; each output by
    its name, int64 [N, *shape], membrane at the last step or spike count.

    Args:
        biased: populations whose bias comes with the sample; by default those that a host projection leads to.

    Raises:
        UserError: a loop without delay, nothing that data could enter by, sums that int64 can't be trusted with.
    """
    require_arithmetic(network.chip, "lava", "the ONNX model of the integers")
    graph = GraphBuilder("chip")
    steps = network.steps
    biased = {h.target for h in network.host_projections.values()} if biased is None else biased
    messages = {
        name: graph.input(f"{name}.messages", np.int32, (TIME, *item.shape))
        for name, item in network.inputs.items()
        if item.mode != "bias"
    }
    bias = {
        name: graph.input(f"{name}.bias", np.int32, item.shape)
        for name, item in network.populations.items()
        if name in biased
    }
    if not messages and not bias:
        raise UserError("the network has no input, so that an ONNX model would have no batch", remedy="add an input")
    sent: dict[str, list[Value]] = {name: [] for name in network.populations}
    for name, value in messages.items():
        graph.scope = name
        sent[name] = graph.over_time(value, steps, len(network.inputs[name].shape))
    populations = {
        name: IntegerPopulation(item, population_bounds(network, item, steps).wraps, bias.get(name), graph)
        for name, item in network.populations.items()
    }
    synapses = {name: IntegerSynapses(network, item, graph) for name, item in network.projections.items()}
    order = _order(network)
    membrane: dict[str, list[Value]] = {name: [] for name in network.populations}
    for t in range(steps):
        for name in order:
            graph.scope = f"t{t}/{name}"
            arriving = [p for p in network.incoming(name) if p.delay <= t]
            parts = {p.name: synapses[p.name].sum(sent[p.source][t - p.delay]) for p in arriving}
            dense, convolved = (
                [parts[p.name] for p in arriving if (p.geometry is None) == wanted] for wanted in (True, False)
            )
            sent[name].append(populations[name].step(dense, convolved))
            membrane[name].append(populations[name].v)
    graph.scope = "outputs"
    spikes = {name: graph.stacked(sent[name]) for name in network.populations}
    for name, item in network.populations.items():
        graph.output(f"{name}.spikes", spikes[name], np.uint8, (steps, *item.shape))
        graph.output(f"{name}.membrane", graph.stacked(membrane[name]), np.int32, (steps, *item.shape))
    for name, output in network.outputs.items():
        population = network.populations[output.population]
        each = membrane[output.population]
        if output.mode == "count":
            each = sent[output.population]
        elif output.mode == "membrane_before_reset":
            threshold = graph.constant(population.vth.astype(np.int64) << SYNAPSE_SHIFT)
            added = [graph.op("Mul", graph.cast(fired, np.int64), threshold) for fired in sent[output.population]]
            each = [graph.op("Add", graph.cast(v, np.int64), a) for v, a in zip(each, added, strict=True)]
        value = each[-1]
        if output.kept != "last":
            stacked = spikes[output.population] if output.mode == "count" else graph.stacked(each)
            value = graph.reduced(graph.cast(stacked, np.int64), output.kept)
        graph.output(name, value, np.int64, population.shape)
    return graph.model({"form": "chip", **(metadata or {}), **chip_metadata(network)})


def chip_inputs(encoded: EncodedInput) -> dict[str, np.ndarray]:
    """What the model takes, from what `dalif_deploy.hw_models.samples.encode` made."""
    messages = {f"{name}.messages": array.astype(np.int32) for name, array in encoded.messages.items()}
    biases = {
        f"{name}.bias": mant.astype(np.int32) << exp.astype(np.int32) for name, (mant, exp) in encoded.bias.items()
    }
    return messages | biases


def _order(network: ChipNetwork) -> list[str]:
    try:
        depths = network.depths()
    except ValueError as error:
        raise UserError(str(error), remedy="give at least one projection of the loop a delay") from error
    return sorted(network.populations, key=lambda name: (depths[name], name))
