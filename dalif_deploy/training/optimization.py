"""Optimizer and learning-rate schedule of a configuration."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from dalif_deploy.training.config import TrainConfig


def make_optimizer(network: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW, or SGD with momentum, on all parameters."""
    shared: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=config.momentum, nesterov=config.nesterov, **shared)
    return torch.optim.AdamW(network.parameters(), **shared)


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, batches: int) -> LRScheduler:
    """A schedule that is stepped after each of the `config.epochs * batches` batches."""
    total = config.epochs * batches
    if config.schedule == "one-cycle":
        # with SGD the momentum stays what the configuration says
        cycle = config.optimizer == "adamw"
        return OneCycleLR(optimizer, max_lr=config.lr, total_steps=total, pct_start=0.2, cycle_momentum=cycle)
    warmup = round(config.warmup_epochs * batches)

    def share(step: int) -> float:
        """Share of the largest rate: a straight line up to it, then half a cosine down to 0."""
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return LambdaLR(optimizer, share)
