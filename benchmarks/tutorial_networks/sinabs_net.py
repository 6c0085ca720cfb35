"""sinabs, after its tutorial on training with surrogate gradients: a `Sequential` over batch and time in one axis.

`SingleSpike`: a neuron of these chips fires once a step at most.
"""

from __future__ import annotations

import sinabs
import sinabs.activation as sa
import sinabs.layers as sl
import torch
from torch import nn

STEPS = 6
EPOCHS, RATE = 3, 5e-3


class Net(nn.Sequential):
    """Integrate and fire; spikes of the last layer are counted."""

    def __init__(self) -> None:
        def neurons() -> sl.IAFSqueeze:
            return sl.IAFSqueeze(num_timesteps=STEPS, spike_fn=sa.SingleSpike,
                                 surrogate_grad_fn=sa.SingleExponential())  # fmt: skip

        super().__init__(
            nn.Conv2d(1, 12, 5, bias=False),
            nn.BatchNorm2d(12),
            neurons(),
            nn.AvgPool2d(2),
            nn.Conv2d(12, 32, 5, bias=False),
            nn.BatchNorm2d(32),
            neurons(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10, bias=False),
            neurons(),
        )


def scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Each image at every step, samples outermost; spikes of the last layer, counted."""
    sinabs.reset_states(net)
    squeezed = images.repeat_interleave(STEPS, dim=0)
    out = net(squeezed).unflatten(0, (-1, STEPS)).sum(1)
    sinabs.reset_states(net)
    return out
