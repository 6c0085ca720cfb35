"""`convert`: a trained ReLU network becomes integrate-and-fire neurons whose rates are its activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.notebook_table import notebook_table
from dalif_deploy.neuron import DALIF
from dalif_deploy.rate_coding.relu_layers import trace_relus
from dalif_deploy.rate_coding.thresholds import SeenActivations, best_threshold

BATCH = 128
RULE = "threshold of least squared error (Li et al. 2021), half a level in advance (Deng and Gu 2021)"


class RateNeurons(nn.Module):
    """Integrate-and-fire neurons in the place of a ReLU: no decay, threshold subtracted at a spike.

    A spike counts `v_threshold`, so that the mean over time is an activation. Each step adds
    `v_threshold / (2 * steps)`, half a level over all steps: the count is rounded, not cut off.

    Args:
        v_threshold: the largest activation that can be said.
        steps: steps of a sample.
    """

    def __init__(self, v_threshold: float, steps: int):
        super().__init__()
        self.v_threshold, self.steps = v_threshold, steps
        self.neuron = DALIF(v_threshold=v_threshold, learn="none", alpha_init=1.0, beta_init=1.0, reset="subtract")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [T * N, ...], time outermost, gives spikes times `v_threshold`, of the same shape."""
        current: torch.Tensor = (x + self.v_threshold / (2 * self.steps)).unflatten(0, (self.steps, -1))
        spikes: torch.Tensor = self.neuron(current)
        return spikes.flatten(0, 1) * self.v_threshold


class RateCodedNetwork(nn.Module):
    """A ReLU network's layers, with neurons in the place of its ReLUs.

    Called with samples [N, *shape], which it is shown at every step, it gives the mean over time of its last layer,
    [N, classes].

    Attributes:
        steps: steps of a sample.
        rule: how thresholds were chosen, with its source.
    """

    rule = RULE

    def __init__(self, layers: fx.GraphModule, steps: int):
        super().__init__()
        self.layers, self.steps = layers, steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean over time of what the last layer says, [N, classes]."""
        over_time = x.expand(self.steps, *x.shape).flatten(0, 1)
        out: torch.Tensor = self.layers(over_time)
        over: torch.Tensor = out.unflatten(0, (self.steps, -1))
        return over.mean(0)

    @property
    def thresholds(self) -> dict[str, float]:
        """Threshold of each layer of neurons."""
        found = {}
        for name, module in self.layers.named_modules():
            if isinstance(module, RateNeurons):
                found[name] = module.v_threshold
        return found

    def to_dict(self) -> dict[str, Any]:
        """Steps, the rule of thresholds and each layer's threshold, in plain values; weights are in `state_dict()`."""
        return {"steps": self.steps, "rule": self.rule, "thresholds": self.thresholds}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {threshold:.3g}" for name, threshold in self.thresholds.items())
        return f"<RateCodedNetwork of {self.steps} steps, thresholds {shown}>"

    def _repr_html_(self) -> str:
        rows = [(name, f"{threshold:.4g}") for name, threshold in self.thresholds.items()]
        return notebook_table(f"rate-coded, {self.steps} steps; {self.rule}", rows)


def convert(model: nn.Module, samples: torch.Tensor | np.ndarray, *, steps: int) -> RateCodedNetwork:
    """A trained ReLU network as a rate-coded network of integrate-and-fire neurons.

    Nothing is trained again. The result is a module as any other: give it to `export` with the same samples.

    Args:
        model: a trained torch network with ReLUs (modules or calls).
        samples: [N, *shape], real and unlabelled, a hundred or more; thresholds are chosen by its activations.
        steps: steps of a sample; more steps say activations more finely.

    Raises:
        UserError: no ReLU or another nonlinearity, a `forward` that can't be traced, a layer that is silent on the
            samples.
    """
    if steps < 1:
        raise UserError(f"{steps} steps", remedy="give at least 1")
    rate_coded = {steps: network for steps, network in _converted(model, samples, [steps])}
    return rate_coded[steps]


def accuracy_over_steps(
    model: nn.Module,
    samples: torch.Tensor | np.ndarray,
    test: tuple[torch.Tensor | np.ndarray, Any],
    *,
    steps: Sequence[int] = (1, 2, 4, 8, 16, 32),
) -> dict[int, float]:
    """Accuracy of `convert(model, samples, steps=T)` for each T; key 0 is the ReLU network's own.

    Args:
        test: ([N, *shape], labels [N]).
    """
    inputs, labels = _tensor(test[0]), torch.as_tensor(np.asarray(test[1]))
    found = {0: _accuracy(model, inputs, labels)}
    for count, network in _converted(model, samples, steps):
        found[count] = _accuracy(network, inputs, labels)
    return found


def _converted(
    model: nn.Module, samples: torch.Tensor | np.ndarray, steps: Sequence[int]
) -> list[tuple[int, RateCodedNetwork]]:
    seen: dict[str, SeenActivations] = {}

    def watched(name: str) -> nn.Module:
        seen[name] = SeenActivations(name)
        return seen[name]

    with torch.no_grad():
        layers = trace_relus(model, watched)
        for part in _tensor(samples).split(BATCH):
            layers(part)
    silent = [name for name, layer in seen.items() if layer.largest == 0]
    if silent:
        raise UserError("no activation is above 0 on the samples", where=silent[0],
                        remedy="give samples as the network was trained on")  # fmt: skip
    networks = []
    for count in steps:
        thresholds = {name: best_threshold(layer.seen, count) for name, layer in seen.items()}

        def neurons(name: str, thresholds: dict[str, float] = thresholds, count: int = count) -> nn.Module:
            return RateNeurons(thresholds[name], count)

        networks.append((count, RateCodedNetwork(trace_relus(model, neurons), count).eval()))
    return networks


def _tensor(samples: torch.Tensor | np.ndarray) -> torch.Tensor:
    return torch.as_tensor(samples, dtype=torch.float32)


def _accuracy(network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    was_training = network.training
    network.eval()
    with torch.no_grad():
        predicted = torch.cat([network(part).flatten(1).argmax(1) for part in inputs.split(BATCH)])
    network.train(was_training)
    return float((predicted == labels).double().mean())
