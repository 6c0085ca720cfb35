"""A module in memory as a source of an export, verified against the module itself."""

from __future__ import annotations

import hashlib
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference

from ..source import Source, source_of_graph

FRAMEWORKS = {"snntorch": "snntorch", "spikingjelly": "spikingjelly.activation_based.neuron", "norse": "norse.torch"}
VERIFIED_STEPS = 16
VERIFIED_SAMPLES = 8
# Share of the module's outputs that the graph must give. Frameworks compute in float32, the reference in float64: a
# membrane within rounding of its threshold may decide otherwise, and what follows from it.
LEAST_EQUAL = 0.99


def source_of_module(model: nn.Module, example: torch.Tensor, *, steps: int | None = None) -> Source:
    """`model`, a module of snnTorch, SpikingJelly or Norse, lowered to NIR.

    The graph is stepped over `example` and must give what the module gives. States of the module go back to rest.

    Args:
        example: real samples of one step, [N, *shape]: spikes, or values that are shown at each step.
        steps: steps of a sample.

    Raises:
        UserError: a module of none of the three, something that its writer or NIR can't say, a graph that differs.
    """
    name, framework = _framework(model)
    try:
        with torch.no_grad():
            graph, dt = framework.to_graph(model, example)
    except UserError:
        raise
    except Exception as error:  # a fault of a foreign writer, in a type of its own
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"the NIR writer of {name} failed: {text}", where=type(model).__name__,
                        remedy="see docs/nir-dialects.md for what it can't write") from error  # fmt: skip
    graph.metadata = {**(graph.metadata or {}), "dt": dt}
    source = source_of_graph(graph)  # arrays, where writers leave tensors
    equal = _verified(model, framework, source.graph, dt, example)
    if equal < LEAST_EQUAL:
        raise UserError(
            f"the graph that {name}'s writer gives agrees with the module in {equal:.1%} of its outputs only",
            where=type(model).__name__,
            remedy="see docs/nir-dialects.md for what the writer leaves out",
        )
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode() + np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    highest = float(example.max())
    return replace(
        source,
        path=Path(type(model).__name__),
        dt_from=f"the writer of {name}",
        steps=steps,
        sha256=digest.hexdigest(),
        input_highest=highest if highest > 0 else 1.0,
    )


def _framework(model: nn.Module) -> tuple[str, ModuleType]:
    found = []
    for name, needed in FRAMEWORKS.items():
        # a framework that was never imported has no module in this model
        if name in sys.modules or needed in sys.modules:
            framework = importlib.import_module(f"dalif_deploy.converters.live.{name}")
            if any(framework.holds(module) for module in model.modules()):
                found.append((name, framework))
    if len(found) != 1:
        of = " and ".join(name for name, _ in found) or "no framework that is known here"
        raise UserError(
            f"the module has neurons of {of}",
            where=type(model).__name__,
            remedy=f"give a module of one of {', '.join(FRAMEWORKS)}, a checkpoint or a NIR file",
        )
    return found[0]


def _verified(model: nn.Module, framework: ModuleType, graph: nir.NIRGraph, dt: float, example: torch.Tensor) -> float:
    """Share of the module's own outputs that the graph's float reference gives."""
    part = example[:VERIFIED_SAMPLES]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            own = framework.run(model, part.expand(VERIFIED_STEPS, *part.shape)).transpose(0, 1).double().numpy()
    finally:
        model.train(was_training)
    if not own.any():
        raise UserError(
            "nothing comes out of the module for this example, so that nothing could be verified",
            where=type(model).__name__,
            remedy="give samples that make it fire",
        )
    reference = run_reference(graph, part.double().numpy(), dt=dt, steps=VERIFIED_STEPS, record=())
    (found,) = reference.outputs.values()
    found = found.reshape(own.shape)
    return float(np.isclose(found, own, rtol=1e-4, atol=1e-5).mean())
