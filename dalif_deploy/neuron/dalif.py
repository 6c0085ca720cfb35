"""The DA-LIF neuron (Zhang et al., arXiv 2502.10422)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from dalif_deploy.neuron.decay import ACTIVATIONS, free_parameter
from dalif_deploy.neuron.surrogate import SURROGATES, smooth_spike, spike

Learn = Literal["both", "spatial", "temporal", "none"]


class DALIF(nn.Module):
    """A layer of neurons with a learned spatial decay alpha and temporal decay beta.

        V[t] = beta * H[t-1] + alpha * X[t]
        S[t] = 1 if V[t] >= v_threshold else 0
        H[t] = V[t] * (1 - S[t])            reset "zero"
        H[t] = V[t] - v_threshold * S[t]    reset "subtract"

    alpha and beta are one value a layer, each a bounded activation of a free parameter (`tau_a`, `tau_b`). The reset
    is not differentiated (the spike in it is detached), as in the PLIF paper: gradients flow through V.

    Args:
        activation: "tanh" (default), "sigmoid" or "clamp".
        learn: which decays are trained: "both", "spatial" (alpha), "temporal" (beta) or "none" (a plain LIF).
        alpha_init, beta_init: decays at the start; fixed where they are not learned.
        surrogate, width: see `dalif_deploy.neuron.surrogate`.
        smooth: fire the surrogate's primitive instead of a step (to check gradients; such a network does not spike).
    """

    def __init__(
        self,
        *,
        v_threshold: float = 1.0,
        activation: str = "tanh",
        learn: Learn = "both",
        alpha_init: float = 0.9,
        beta_init: float = 0.5,
        reset: Literal["zero", "subtract"] = "zero",
        surrogate: str = "atan",
        width: float = 1.0,
        smooth: bool = False,
    ):
        super().__init__()
        if activation not in ACTIVATIONS or surrogate not in SURROGATES or reset not in ("zero", "subtract"):
            raise ValueError(f"unknown activation {activation!r}, surrogate {surrogate!r} or reset {reset!r}")
        if learn not in ("both", "spatial", "temporal", "none"):
            raise ValueError(f"unknown learn {learn!r}")
        self.v_threshold, self.activation, self.learn, self.reset = v_threshold, activation, learn, reset
        self.surrogate, self.width, self.smooth = surrogate, width, smooth
        self.tau_a = self._decay(alpha_init, learn in ("both", "spatial"))
        self.tau_b = self._decay(beta_init, learn in ("both", "temporal"))

    def _decay(self, value: float, learned: bool) -> nn.Parameter:
        return nn.Parameter(torch.tensor(free_parameter(value, self.activation)), requires_grad=learned)

    @property
    def alpha(self) -> torch.Tensor:
        """Spatial decay, shape ()."""
        return ACTIVATIONS[self.activation](self.tau_a)

    @property
    def beta(self) -> torch.Tensor:
        """Temporal decay, shape ()."""
        return ACTIVATIONS[self.activation](self.tau_b)

    def step(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """One step.

        Args:
            x: input of any shape.
            state: H of the step before, same shape; zero if None.

        Returns:
            (spikes, H), both of x's shape.
        """
        v = self.alpha * x
        if state is not None:
            v = v + self.beta * state
        fire = smooth_spike if self.smooth else spike
        s = fire(v - self.v_threshold, self.surrogate, self.width)
        held = s.detach()
        return s, v * (1 - held) if self.reset == "zero" else v - self.v_threshold * held

    def forward(self, x: torch.Tensor, record: list[torch.Tensor] | None = None) -> torch.Tensor:
        """A sequence from rest.

        Args:
            x: [T, N, ...].
            record: if given, H of every step is appended to it.

        Returns:
            Spikes [T, N, ...].
        """
        state, spikes = None, []
        for x_t in x:
            s, state = self.step(x_t, state)
            spikes.append(s)
            if record is not None:
                record.append(state)
        return torch.stack(spikes)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"alpha={self.alpha.item():.4f}, beta={self.beta.item():.4f}, learn={self.learn}, reset={self.reset}"
