"""What `dalif-export FILE.py:NAME` exports: a module that the person's own code builds, captured on an example."""

from __future__ import annotations

import sys

import numpy as np
import torch

from dalif_deploy.converters.source import Source
from dalif_deploy.hw_models.errors import UserError

EXAMPLE_SAMPLES = 32
REWRITE_SAMPLES = 256  # that the cost of a rewrite is measured on


def user_network(
    model: str,
    *,
    weights: str | None,
    example: str | None,
    data_root: str | None,
    steps: int | None,
    time_axis: int | None,
    rewrite: list[str],
) -> Source:
    """Runs the code that `model` names and captures the module.

    Args:
        example: data as `--data` takes it; its first samples are shown to the network.
        rewrite: "max-pool=after-spikes" or "max-pool=average".

    Raises:
        UserError: code or data that can't be read, a network that can't be captured.
    """
    from dalif_deploy.converters.capture.user_code import load_user_module
    from dalif_deploy.converters.sources import ReadRequest, load_source
    from dalif_deploy.data import load_data
    from dalif_deploy.hw_models.samples.input_data import take_samples

    if example is None:
        raise UserError(
            "a network in your own code needs samples to run on",
            where=model,
            remedy="give --example NAME:SPLIT or FILE.npz",
        )
    print(f"running your own code: {model}", file=sys.stderr)
    module = load_user_module(model, weights)
    data = load_data(example, data_root, steps=steps)
    rules = rewrite_rules(rewrite)
    taken = slice(REWRITE_SAMPLES if rules else EXAMPLE_SAMPLES)
    inputs = take_samples(data.inputs, taken)
    if isinstance(inputs, dict):
        raise UserError("has several inputs", where=example, remedy="give one array, `input`")
    samples = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
    if time_axis is None and samples.dim() == 5:  # event frames [N, T, 2, H, W]
        time_axis = 1
    labels = None if data.labels is None else data.labels[taken]
    asked = ReadRequest(steps=steps, example=samples, time_axis=time_axis, rewrite=rules, labels=labels)
    return load_source(module, asked)


def rewrite_rules(given: list[str]) -> dict[str, str]:
    """{"max-pool": rule} of "max-pool=rule".

    Raises:
        UserError: anything else.
    """
    known = ("max-pool=after-spikes", "max-pool=average")
    for rule in given:
        if rule not in known:
            raise UserError(f"unknown --rewrite {rule!r}", remedy=f"choose {' or '.join(known)}")
    return dict(rule.split("=", 1) for rule in given)
