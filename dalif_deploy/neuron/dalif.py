"""The DA-LIF neuron (Zhang et al., arXiv 2502.10422)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.jit._trace import is_tracing

from dalif_deploy.neuron.decay import ACTIVATIONS, free_parameter
from dalif_deploy.neuron.eager import Rule
from dalif_deploy.neuron.sequence import Engine, Sequence
from dalif_deploy.neuron.surrogate import SURROGATES, spike

Learn = Literal["both", "spatial", "temporal", "none"]


class DALIF(nn.Module):
    """A layer of neurons with a learned spatial decay alpha and temporal decay beta.

        V[t] = beta * H[t-1] + alpha * X[t]
        S[t] = 1 if V[t] >= v_threshold else 0
        H[t] = V[t] * (1 - S[t])            reset "zero"
        H[t] = V[t] - v_threshold * S[t]    reset "subtract"

    alpha and beta are one value a layer. A learned decay is a bounded activation of a free parameter, `tau_a` or
    `tau_b`; a fixed one is the plain number `fixed_alpha` or `fixed_beta`, to which no bound applies.

    The reset is not differentiated (the spike in it is detached), as in the PLIF paper: through it the surrogate
    would pass -V per bump back along time, which grows with the membrane and gives large, noisy gradients, while
    what the spike does to later layers is already in the gradient of S. Gradients flow along time through V.

    Args:
        v_threshold: membrane at which a neuron fires, > 0.
        activation: "tanh" (default), "sigmoid" or "clamp", see `dalif_deploy.neuron.decay`.
        learn: which decays are trained: "both", "spatial" (alpha), "temporal" (beta) or "none" (a plain LIF).
        alpha_init, beta_init: decays at the start; the decays for good where they are not learned.
        reset: "zero" (hard) or "subtract" (soft).
        surrogate, width: see `dalif_deploy.neuron.surrogate`.
        engine: what runs sequences: "compile" (torch.compile, eager where that does not work), "eager", or "auto",
            which compiles for inputs so large that it pays. Spikes are the same bits, gradients the same but for
            rounding.

    Raises:
        ValueError: an unknown option, or a start that the activation does not reach.
    """

    fixed_alpha: torch.Tensor | None
    fixed_beta: torch.Tensor | None

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
        engine: Engine = "auto",
    ):
        super().__init__()
        if activation not in ACTIVATIONS or surrogate not in SURROGATES or reset not in ("zero", "subtract"):
            raise ValueError(f"unknown activation {activation!r}, surrogate {surrogate!r} or reset {reset!r}")
        if learn not in ("both", "spatial", "temporal", "none"):
            raise ValueError(f"unknown learn {learn!r}")
        if engine not in ("auto", "eager", "compile"):
            raise ValueError(f"unknown engine {engine!r}")
        if not (v_threshold > 0 and width > 0):
            raise ValueError(f"v_threshold {v_threshold} and width {width} must be above 0")
        self.v_threshold, self.activation, self.learn, self.reset = v_threshold, activation, learn, reset
        self.surrogate, self.width, self.engine = surrogate, width, engine
        self.tau_a, fixed_alpha = self._decay(alpha_init, learn in ("both", "spatial"))
        self.tau_b, fixed_beta = self._decay(beta_init, learn in ("both", "temporal"))
        self.register_buffer("fixed_alpha", fixed_alpha)
        self.register_buffer("fixed_beta", fixed_beta)

    def _decay(self, value: float, learned: bool) -> tuple[nn.Parameter | None, torch.Tensor | None]:
        if learned:
            return nn.Parameter(torch.tensor(free_parameter(value, self.activation))), None
        return None, torch.tensor(float(value))

    @property
    def alpha(self) -> torch.Tensor:
        """Spatial decay, shape ()."""
        return self._value(self.tau_a, self.fixed_alpha)

    @property
    def beta(self) -> torch.Tensor:
        """Temporal decay, shape ()."""
        return self._value(self.tau_b, self.fixed_beta)

    def _value(self, free: nn.Parameter | None, fixed: torch.Tensor | None) -> torch.Tensor:
        if free is not None:
            return ACTIVATIONS[self.activation](free)
        assert fixed is not None  # a decay that is not learned is a number
        return fixed

    @torch.no_grad()
    def keep_beta_a_decay(self) -> None:
        """Puts a learned beta back into 0..4095/4096, the decays that a chip's register holds."""
        if self.tau_b is not None:
            lowest = None if self.activation == "sigmoid" else 0.0
            self.tau_b.clamp_(lowest, free_parameter(1 - 2**-12, self.activation))

    def step(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """One step.

        Args:
            x: input of any shape.
            state: H of the step before, same shape; zero if None.

        Returns:
            (spikes, H), both of x's shape.
        """
        v = self._charge(self.alpha * x, self.beta, state)
        s = self._fire(v)
        return s, self._release(v, s)

    def forward(self, x: torch.Tensor, record: list[torch.Tensor] | None = None) -> torch.Tensor:
        """A sequence from rest, equal to `step` at each of its entries.

        Args:
            x: [T, N, ...].
            record: if given, H of every step is appended to it.

        Returns:
            Spikes [T, N, ...].
        """
        if record is None and len(x) and x.is_floating_point() and not _is_traced():
            rule = Rule(self.v_threshold, self.reset, self.surrogate, self.width)
            fired: torch.Tensor = Sequence.apply(x, self.alpha, self.beta, rule, self.engine)
            return fired
        # what all steps share is computed once
        current, beta = self.alpha * x, self.beta
        state, spikes = None, []
        for current_t in current:
            v = self._charge(current_t, beta, state)
            spikes.append(self._fire(v))
            state = self._release(v, spikes[-1])
            if record is not None:
                record.append(state)
        return torch.stack(spikes) if spikes else current

    @staticmethod
    def _charge(current: torch.Tensor, beta: torch.Tensor, state: torch.Tensor | None) -> torch.Tensor:
        return current if state is None else torch.addcmul(current, beta, state)

    def _fire(self, v: torch.Tensor) -> torch.Tensor:
        return spike(v, self.v_threshold, self.surrogate, self.width)

    def _release(self, v: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        fired = s.detach()
        return v * (1 - fired) if self.reset == "zero" else torch.sub(v, fired, alpha=self.v_threshold)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"alpha={self.alpha.item():.4f}, beta={self.beta.item():.4f}, learn={self.learn}, reset={self.reset}"


def _is_traced() -> bool:
    """Whoever compiles or exports the whole network sees plain steps, and fuses them with what surrounds them."""
    return torch.compiler.is_compiling() or is_tracing()
