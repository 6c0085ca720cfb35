"""The DA-LIF neuron (Zhang et al., arXiv 2502.10422)."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import nn
from torch.jit._trace import is_tracing

from dalif_deploy.neuron.decay import ACTIVATIONS, even, free_parameter, spread
from dalif_deploy.neuron.sequence import Engine, Sequence
from dalif_deploy.neuron.steps import Rule
from dalif_deploy.neuron.surrogate import SURROGATES, spike

Learn = Literal["both", "spatial", "temporal", "tied", "none"]
Per = Literal["layer", "channel", "neuron"]
Start = float | tuple[float, float]

# alpha a neuron becomes a threshold where neurons share a convolution's weights: 1/64 of it is 64 thresholds
LEAST_ALPHA = 1 / 64


class DALIF(nn.Module):
    """A layer of neurons with a learned spatial decay alpha and temporal decay beta.

        V[t] = beta * H[t-1] + alpha * X[t]
        S[t] = 1 if V[t] >= v_threshold else 0
        H[t] = V[t] * (1 - S[t])            reset "zero"
        H[t] = V[t] - v_threshold * S[t]    reset "subtract"

    alpha and beta are one value a layer, a channel or a neuron. A learned decay is a bounded activation of a free
    parameter, `tau_a` or `tau_b`; a fixed one is the plain number `fixed_alpha` or `fixed_beta`, to which no bound
    applies.

    A learned threshold is exp(`tau_v`). Membrane and threshold may be scaled together without changing a spike, so the
    membrane then counts in thresholds: alpha / threshold takes alpha's place above, 1 the threshold's.

    The reset is not differentiated (the spike in it is detached), as in the PLIF paper: through it the surrogate
    would pass -V per bump back along time, which grows with the membrane and gives large, noisy gradients, while
    what the spike does to later layers is already in the gradient of S. Gradients flow along time through V.

    Args:
        v_threshold: membrane at which a neuron fires, > 0; where it is learned, at the start.
        activation: "tanh" (default), "sigmoid" or "clamp", see `dalif_deploy.neuron.decay`.
        learn: which decays are trained: "both", "spatial" (alpha), "temporal" (beta), "none" (a plain LIF), or "tied"
            (beta, and alpha = 1 - beta: a PLIF).
        alpha_init, beta_init: decays at the start; the decays for good where they are not learned. Two numbers: spread
            evenly between them, over channels or neurons. `alpha_init` means nothing to "tied".
        decays_per: whether a layer, a channel or a neuron has decays (and a learned threshold) of its own.
        learn_threshold: train the threshold, too.
        shape: of the layer, [C, H, W] or [N]; needed where channels or neurons differ.
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
        alpha_init: Start = 0.9,
        beta_init: Start = 0.5,
        decays_per: Per = "layer",
        learn_threshold: bool = False,
        shape: tuple[int, ...] | None = None,
        reset: Literal["zero", "subtract"] = "zero",
        surrogate: str = "atan",
        width: float = 1.0,
        engine: Engine = "auto",
    ):
        super().__init__()
        if activation not in ACTIVATIONS or surrogate not in SURROGATES or reset not in ("zero", "subtract"):
            raise ValueError(f"unknown activation {activation!r}, surrogate {surrogate!r} or reset {reset!r}")
        if learn not in get_args(Learn) or decays_per not in get_args(Per):
            raise ValueError(f"unknown learn {learn!r} or decays_per {decays_per!r}")
        if engine not in ("auto", "eager", "compile"):
            raise ValueError(f"unknown engine {engine!r}")
        if not (v_threshold > 0 and width > 0):
            raise ValueError(f"v_threshold {v_threshold} and width {width} must be above 0")
        self.v_threshold, self.activation, self.learn, self.reset = v_threshold, activation, learn, reset
        self.surrogate, self.width, self.engine = surrogate, width, engine
        self.decays_per, self.units = decays_per, _units(decays_per, shape)
        self.tau_a, fixed_alpha = self._decay(alpha_init, learn in ("both", "spatial"))
        self.tau_b, fixed_beta = self._decay(beta_init, learn in ("both", "temporal", "tied"))
        self.tau_v = nn.Parameter(torch.full(self.units, math.log(v_threshold))) if learn_threshold else None
        self.register_buffer("fixed_alpha", None if learn == "tied" else fixed_alpha)
        self.register_buffer("fixed_beta", fixed_beta)

    def _decay(self, start: Start, learned: bool) -> tuple[nn.Parameter | None, torch.Tensor | None]:
        if isinstance(start, tuple | list):
            lowest, highest = start
            if self.decays_per == "layer":
                raise ValueError("a range of decays needs decays_per channel or neuron: a layer has one value")
            if learned:
                return nn.Parameter(spread(lowest, highest, self.units, self.activation)), None
            return None, even(lowest, highest, self.units).float()
        if learned:
            return nn.Parameter(torch.full(self.units, free_parameter(start, self.activation))), None
        return None, torch.tensor(float(start))

    @property
    def alpha(self) -> torch.Tensor:
        """Spatial decay; of shape (), or one that broadcasts against the layer's."""
        return 1 - self.beta if self.learn == "tied" else self._value(self.tau_a, self.fixed_alpha)

    @property
    def beta(self) -> torch.Tensor:
        """Temporal decay; shape as alpha's."""
        return self._value(self.tau_b, self.fixed_beta)

    @property
    def threshold(self) -> torch.Tensor:
        """The threshold, learned or not; shape as alpha's."""
        return self.beta.new_tensor(self.v_threshold) if self.tau_v is None else self.tau_v.exp()

    @property
    def gain(self) -> torch.Tensor:
        """What the input is multiplied by: alpha, in thresholds where these are learned."""
        return self.alpha if self.tau_v is None else self.alpha / self.tau_v.exp()

    @property
    def gain_stays(self) -> bool:
        """True if the gain differs among neurons that share a convolution's weights, and so can't go into these."""
        gain = self.gain
        return gain.ndim > 1 and gain.numel() > len(gain)

    @property
    def rule(self) -> Rule:
        """What all steps have in common; its threshold is in the membrane's own units."""
        threshold = self.v_threshold if self.tau_v is None else 1.0
        return Rule(threshold, self.reset, self.surrogate, self.width)

    def _value(self, free: nn.Parameter | None, fixed: torch.Tensor | None) -> torch.Tensor:
        if free is not None:
            return ACTIVATIONS[self.activation](free)
        assert fixed is not None  # a decay that is not learned is a number
        return fixed

    @torch.no_grad()
    def keep_beta_a_decay(self) -> None:
        """Puts learned decays back to where a chip can hold them.

        beta into 0..4095/4096, the decays of a chip's register, and a neuron's own alpha to `LEAST_ALPHA` or above.
        """
        neurons = self.decays_per == "neuron"
        if self.tau_b is not None:
            lowest = None if self.activation == "sigmoid" else 0.0
            highest = 1 - LEAST_ALPHA if neurons and self.learn == "tied" else 1 - 2**-12
            self.tau_b.clamp_(lowest, free_parameter(highest, self.activation))
        if self.tau_a is not None and neurons:
            self.tau_a.clamp_(free_parameter(LEAST_ALPHA, self.activation))

    def step(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """One step.

        Args:
            x: input of any shape; [N, *shape] where channels or neurons differ.
            state: H of the step before, same shape; zero if None.

        Returns:
            (spikes, H), both of x's shape.
        """
        v = self._charge(self.gain * x, self.beta, state)
        s = self._fire(v)
        return s, self._release(v, s)

    def forward(
        self, x: torch.Tensor, record: list[torch.Tensor] | None = None, steps: int | None = None
    ) -> torch.Tensor:
        """A sequence from rest, equal to `step` at each of its entries.

        Args:
            x: [T, N, ...]; with `steps`, [N, ...], which is the same at each of T = `steps` steps.
            record: if given, H of every step is appended to it.

        Returns:
            Spikes [T, N, ...].
        """
        gain, beta = self.gain, self.beta
        if record is None and (len(x) or steps) and x.is_floating_point() and not _is_exported():
            if gain.ndim or beta.ndim:
                sample = x.shape[2 if steps is None else 1 :]
                gain, beta = gain.expand(sample), beta.expand(sample)
            fired: torch.Tensor = Sequence.apply(x, gain, beta, self.rule, steps, self.engine)
            return fired
        # what all steps share is computed once
        current = gain * x
        if steps is not None:
            current = current.expand(steps, *current.shape)
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
        return spike(v, self.rule.v_threshold, self.surrogate, self.width)

    def _release(self, v: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        fired = s.detach()
        return v * (1 - fired) if self.reset == "zero" else torch.sub(v, fired, alpha=self.rule.v_threshold)

    def extra_repr(self) -> str:
        """What print shows."""
        shown = ((name, getattr(self, name)) for name in ("alpha", "beta"))
        decays = ", ".join(f"{name}={_ends(value)}" for name, value in shown)
        per = "" if self.decays_per == "layer" else f", decays_per={self.decays_per}"
        return f"{decays}{per}, learn={self.learn}, reset={self.reset}"


def _units(per: Per, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape of the decays."""
    if per == "layer":
        return ()
    if not shape:
        raise ValueError(f"decays_per {per} needs the shape of the layer")
    # in a layer without an image each neuron is a channel
    return tuple(shape) if per == "neuron" else (shape[0], *[1] * (len(shape) - 1))


def _ends(values: torch.Tensor) -> str:
    lowest, highest = values.min().item(), values.max().item()
    return f"{lowest:.4f}" if lowest == highest else f"{lowest:.4f}..{highest:.4f}"


def _is_exported() -> bool:
    """Whoever exports the whole network sees plain steps, which any runtime has."""
    return torch.compiler.is_exporting() or is_tracing()
