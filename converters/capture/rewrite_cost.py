"""What a rewrite costs: how often the module as it was and the rewritten graph decide alike, and rightly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.graph.decision_rule import DecisionReader
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph
from dalif_deploy.hw_models.progress import tracked, unreported
from dalif_deploy.hw_models.reference import run_reference

from .decision import decide
from .fold import Signatures, fold
from .layout import every_step
from .run_module import Run, run_module

CHUNK = 64
AS_IT_IS = {"max-pool": "as-it-is"}  # max pools over currents are followed, not lowered


@dataclass(frozen=True)
class RewriteCost:
    """Of the samples given.

    Attributes:
        rewrite: "max-pool" -> rule.
        accuracy_before: of the module as it was; None without labels, as `accuracy_after`, of the rewritten graph.
        same_decisions: share of samples for which both decide for the same class.
    """

    rewrite: dict[str, str]
    samples: int
    accuracy_before: float | None
    accuracy_after: float | None
    same_decisions: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)


def rewrite_cost(
    model: nn.Module,
    example: torch.Tensor,
    labels: np.ndarray | None,
    rewrite: dict[str, str],
    *,
    flat: FlatGraph,
    dt: float,
    steps: int,
    time_axis: int | None,
) -> RewriteCost:
    """Runs both over all of `example`.

    Args:
        labels: [N] classes, or None.
        flat: the rewritten graph.
        steps, time_axis: of the module, see `run_module`.
    """
    batch_axis = 1 if time_axis == 0 else 0
    reader = DecisionReader(flat, dt)
    before: list[np.ndarray] = []
    after: list[np.ndarray] = []
    for part in tracked(example.split(CHUNK, batch_axis), "what the rewrite costs, chunks of samples"):
        count = part.shape[batch_axis]
        if count == 1:  # an axis of size 1 can't be told from others
            part = torch.cat([part, part], batch_axis)
        with unreported():
            run = run_module(model, part, steps=steps, time_axis=time_axis, rewrite=AS_IT_IS)
            found = run_reference(
                flat, run.data.double().numpy(), dt=dt, steps=None if run.moving else run.steps, record=reader.needs
            )
        (graph,) = reader(found.outputs, found.spikes, found.membrane, found.current).values()
        for kept, values in ((before, _own_scores(run)), (after, graph)):
            kept.append(values[:count].reshape(count, -1).argmax(1))
    own, new = np.concatenate(before), np.concatenate(after)
    right, new_right = (None if labels is None else float((x == labels[: len(x)]).mean()) for x in (own, new))
    return RewriteCost(dict(rewrite), len(own), right, new_right, float((own == new).mean()))


def _own_scores(run: Run) -> np.ndarray:
    """[N, ...] of what the module itself returned; every step's values by its decision rule."""
    signatures = Signatures()
    fold(run.populations, signatures)
    decision = decide(run.results, run.steps, signatures, run.populations)
    parts = []
    for known, tensor in zip(run.results, run.outputs, strict=True):
        parts.append(every_step(known, tensor))
    if decision.over_time != "steps":
        return parts[-1]
    return decision.rule("").over(np.stack(parts, 1) if len(parts) > 1 else parts[0])
