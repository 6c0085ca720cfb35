"""A module in memory as a source of an export: captured, and verified against itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph import flatten_graph
from dalif_deploy.hw_models.graph.decision_rule import DecisionReader
from dalif_deploy.hw_models.reference import FloatRecording, run_reference

from ..source import Source
from .build_graph import GraphBuilder
from .coded_input import CodedData
from .decision import Decision, decide
from .fold import Signatures, fold
from .frameworks import table
from .layout import every_step
from .neuron_nodes import DT
from .population import Population
from .readout import with_readout
from .rewrite_cost import rewrite_cost
from .run_module import Run, run_module
from .simplify import simplified
from .values import NeuronValue, Operation
from .verification import Verification, verify
from .written_states import with_synapse

VERIFIED_SAMPLES = 32
REWRITES = {"max-pool": ("after-spikes", "average")}


def source_of_module(
    model: nn.Module,
    example: torch.Tensor,
    *,
    steps: int | None = None,
    time_axis: int | None = None,
    rewrite: dict[str, str] | None = None,
    labels: np.ndarray | None = None,
) -> Source:
    """`model`, run over `example` and folded into a NIR graph of one step.

    The graph is stepped over the example and must fire as the module does. States of the module go back to rest.

    Args:
        example: real samples, [N, *shape]: shown at each step; with time in it, `time_axis` is that axis.
        steps: steps of a sample, where the module does not say.
        rewrite: {"max-pool": "after-spikes" or "average"}, for max pools over currents; what it costs is measured on
            all of `example`.
        labels: of the example, [N], for that.

    Raises:
        UserError: something that NIR can't say or the chip can't do, a graph that fires otherwise.
    """
    for operation, how in (rewrite or {}).items():
        if how not in REWRITES.get(operation, ()):
            raise UserError(f"unknown rewrite {operation}={how}", remedy="choose max-pool=after-spikes or =average")
    if time_axis is not None:
        if not -example.dim() <= time_axis < example.dim():
            raise UserError(f"the example has no axis {time_axis}", remedy="give the axis that is time (time_axis)")
        time_axis %= example.dim()
    else:
        squeezed = table.with_time(model, example)
        if squeezed is not None:
            example, time_axis = squeezed, 1
    batch_axis = 1 if time_axis == 0 else 0
    given = example
    example = example.narrow(batch_axis, 0, min(example.shape[batch_axis], VERIFIED_SAMPLES))
    if example.shape[batch_axis] == 1:  # an axis of size 1 can't be told from others
        example = torch.cat([example, example], batch_axis)
    run = run_module(model, example, steps=steps, time_axis=time_axis, rewrite=rewrite)
    if run.own_loop and steps is not None and run.steps != steps:
        raise UserError(
            f"the module runs {run.steps} steps itself, but {steps} were asked for",
            where=type(model).__name__,
            remedy=f"leave out steps, or build the module with {steps}",
        )
    dt = _dt(run.populations)
    graph, decision, builder = graph_of_run(run, dt)
    flat = flatten_graph(graph)
    reader = DecisionReader(flat, dt)
    reference = run_reference(
        flat,
        run.data.double().numpy(),
        dt=dt,
        steps=None if run.moving else run.steps,
        record=tuple({"spikes", "membrane", *reader.needs}),
    )
    recorded = [p for p in run.populations if p.recorded]
    verification = verify(recorded, builder.node_of, flat.nodes, reference, dt=dt, exact=run.exact)
    _check_result(run, decision, reader, reference, verification, builder.node_of)
    if decision.seen_through is not None:
        verification.notes.append(
            f"the result: {decision.seen_through} is left to the reader; "
            "the chip gives what it is taken of, in the same order"
        )
    cost = None
    if rewrite:
        cost = rewrite_cost(model, given, labels, rewrite, flat=flat, dt=dt, steps=run.steps, time_axis=time_axis)
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        if isinstance(value, torch.Tensor):
            digest.update(key.encode() + np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    if run.coded is not None:
        verification.notes.append(coding_note(run.coded))
        example = run.data
    highest = float(example.max())
    return Source(
        path=Path(type(model).__name__),
        graph=graph,
        dt=dt,
        reset_from="trained",
        dt_from=", ".join(table.framework_of(model)) or "the module",
        steps=run.steps if run.own_loop or run.moving else steps,
        input_step=None,
        checkpoint=False,
        sha256=digest.hexdigest(),
        input_highest=highest if highest > 0 else 1.0,
        input_lowest=min(0.0, float(example.min())),
        verification=verification,
        rewrite_cost=cost,
    )


def coding_note(coded: CodedData) -> str:
    """What a person has to know of a module that codes its data itself."""
    shape = ["N", *(["T"] if coded.moving else []), *map(str, coded.data.shape[2 if coded.moving else 1 :])]
    return (
        f"the forward codes its data itself ({', '.join(dict.fromkeys(coded.what))}): the network's input is what "
        f"comes of that, [{', '.join(shape)}]; dalif_deploy.coded_samples makes it of samples"
    )


def _dt(populations: list[Population]) -> float:
    found = {p.neuron.dt for p in populations if p.neuron.dt is not None}
    if len(found) > 1:
        raise UserError(f"neurons of several time steps: {sorted(found)}", remedy="give all neurons the same dt")
    return found.pop() if found else DT


def graph_of_run(run: Run, dt: float) -> tuple[nir.NIRGraph, Decision, GraphBuilder]:
    """The graph of one step that a run folds into, which value decides in it, and the builder that knows its nodes."""
    signatures = Signatures()
    last = fold(run.populations, signatures)
    decision = decide(run.results, run.steps, signatures, run.populations)
    shape = tuple(run.data.shape[2:] if run.moving else run.data.shape[1:])
    parts = [] if run.coded is None else run.coded.parts
    builder = GraphBuilder(shape, signatures, dt, run.populations, parts)
    builder.order(run.populations, last)
    layers = [
        (p, with_readout(p, with_synapse(p, p.neuron.nodes(p.shape)), run.populations, decision))
        for p in run.populations
    ]
    for p, nodes in layers:
        builder.population(p, nodes, last)
    base = decision.base
    while decision.reads_membrane and isinstance(base, Operation):  # membranes of another shape
        (base,) = base.inputs
    if isinstance(base, NeuronValue):
        of = builder.node_of[id(base.population)]
        ends = [of]
    else:
        ends, _ = builder.value(simplified(base, signatures, last), last, None)
        of = ends[0]
    builder.nodes["output"] = nir.Output({"output": np.array(base.shape)})
    builder.connect(ends, "output")
    metadata: dict[str, Any] = {"dt": dt, **decision.rule(of).metadata()}
    if run.own_loop:
        metadata["steps"] = run.steps
    return nir.NIRGraph(builder.nodes, builder.edges, metadata=metadata, type_check=False), decision, builder


def _check_result(
    run: Run, decision: Decision, reader: DecisionReader, reference: FloatRecording, verification: Verification,
    node_of: dict[int, str],
) -> None:  # fmt: skip
    """What the module returns follows from the graph by the rule."""
    if verification.ties:
        return  # spikes differ then
    if decision.over_time == "steps":
        _check_steps(run, decision, reference, node_of)
        return
    (folded,) = reader(reference.outputs, reference.spikes, reference.membrane, reference.current).values()
    how = decision.over_time
    own = run.outputs[0].double().numpy()
    own = own if decision.seen_through == "argmax" else own.reshape(folded.shape)
    if decision.seen_through is not None:
        if not _same_order(own, folded, decision.seen_through):
            raise UserError(
                f"the {decision.seen_through} that the module returns orders its values otherwise than the graph",
                remedy="report it with the network",
            )
        return
    scale = float((own * folded).sum()) / max(float((folded * folded).sum()), 1e-30)
    if np.abs(own - scale * folded).max(initial=0.0) > 1e-4 * max(float(np.abs(own).max(initial=0.0)), 1e-9):
        raise UserError(
            f"the result is not the {how} over time of the layer that it was taken for",
            remedy="report it with the network",
        )


def _check_steps(run: Run, decision: Decision, reference: FloatRecording, node_of: dict[int, str]) -> None:
    """A readout that the forward adds up itself, step by step; of neurons, every step was compared already."""
    base = decision.base
    if not isinstance(base, NeuronValue) or base.population.recorded:
        return
    own = [every_step(known, tensor) for known, tensor in zip(run.results, run.outputs, strict=True)]
    steps = (np.stack(own, 1) if len(own) > 1 else own[0])[:, -run.steps :]
    found = reference.membrane[node_of[id(base.population)]].reshape(steps.shape)
    gap = np.abs(steps - found).max(initial=0.0)
    if gap > 1e-6 * max(float(np.abs(found).max(initial=0.0)), 1e-9):
        raise UserError(
            f"the membrane of this readout is {gap:.3g} from the graph's",
            where=base.population.name,
            remedy="this layer does something that its NIR node doesn't: report it with the network",
        )


def _same_order(own: np.ndarray, folded: np.ndarray, how: str) -> bool:
    """Whether `own`, a function of `folded` that rises, does: [N, *shape], a sample at a time; of an argmax, [N]."""
    flat = folded.reshape(len(folded), -1)
    near = 1e-6 * max(float(np.abs(flat).max(initial=0.0)), 1e-9)
    if how == "argmax":
        taken = np.take_along_axis(flat, own.reshape(-1, 1).astype(np.int64), 1)[:, 0]
        return bool((taken >= flat.max(1) - near).all())
    rising = np.take_along_axis(own.reshape(flat.shape), np.argsort(flat, axis=1, kind="stable"), 1)
    return bool((np.diff(rising, axis=1) >= -1e-6 * max(float(np.abs(own).max(initial=0.0)), 1e-9)).all())
