"""DA-LIF against its equation, worked one number at a time."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from dalif_deploy.neuron import DALIF
from dalif_deploy.neuron.decay import ACTIVATIONS, free_parameter

LEARN = ["both", "spatial", "temporal", "none"]
ALL_OPTIONS = list(
    product(
        ["tanh", "sigmoid", "clamp"], LEARN, ["zero", "subtract"], ["atan", "sigmoid", "triangle", "rectangle"]
    )
)  # fmt: skip


def by_hand(x, alpha, beta, threshold, reset):
    """The equation, one number at a time."""
    out, h = [], 0.0
    for value in x:
        v = beta * h + alpha * value
        s = 1.0 if v >= threshold else 0.0
        h = v * (1 - s) if reset == "zero" else v - threshold * s
        out.append((s, h))
    return out


@pytest.mark.parametrize(("activation", "learn", "reset", "surrogate"), ALL_OPTIONS)
def test_every_combination_follows_the_equation_in_sequence_and_in_steps(activation, learn, reset, surrogate):
    torch.manual_seed(0)
    x = torch.randn(20, 2, 3, dtype=torch.float64) + 0.5
    neuron = DALIF(
        activation=activation, learn=learn, reset=reset, surrogate=surrogate, alpha_init=0.7, beta_init=0.6
    ).double()  # fmt: skip
    held = []
    spikes = neuron(x, held)
    held = torch.stack(held)
    for n, k in np.ndindex(2, 3):
        expected = by_hand(x[:, n, k].tolist(), neuron.alpha.item(), neuron.beta.item(), 1.0, reset)
        assert spikes[:, n, k].tolist() == [s for s, _ in expected]
        assert held[:, n, k].tolist() == pytest.approx([h for _, h in expected], abs=1e-12)
    assert 0 < spikes.mean() < 1
    assert (neuron.alpha.item(), neuron.beta.item()) == pytest.approx((0.7, 0.6))
    state = None
    for t, x_t in enumerate(x):
        s, state = neuron.step(x_t, state)
        assert torch.equal(s, spikes[t]) and torch.equal(state, held[t])
    assert torch.equal(neuron(x), spikes)  # the record changes nothing


def test_below_threshold_the_membrane_is_a_geometric_sum():
    neuron = DALIF(alpha_init=0.3, beta_init=0.8, v_threshold=100.0, learn="none").double()
    held = []
    assert neuron(torch.ones(30, 1, dtype=torch.float64), held).sum() == 0
    expected = [0.3 * (1 - 0.8**t) / (1 - 0.8) for t in range(1, 31)]
    assert [h.item() for h in held] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("reset", "spikes"), [("zero", 33), ("subtract", 40)])
def test_an_integrator_s_spike_count_is_known(reset, spikes):
    """beta = 1, input 2/5: zero fires each 3rd step; subtract passes on the whole input, 2 spikes in 5 steps."""
    neuron = DALIF(learn="none", alpha_init=1.0, beta_init=1.0, v_threshold=40.0, reset=reset)
    assert neuron(torch.full((100, 1), 16.0)).sum().item() == spikes


def test_fires_at_the_threshold_and_not_below():
    neuron = DALIF(activation="clamp", alpha_init=1.0, beta_init=0.5)
    assert neuron(torch.tensor([[1.0]])).item() == 1
    assert neuron(torch.tensor([[0.9999999]])).item() == 0


@pytest.mark.parametrize("learn", LEARN)
def test_only_the_decays_asked_for_are_learned(learn):
    neuron = DALIF(learn=learn)
    weight = torch.ones(1, requires_grad=True)
    neuron(torch.ones(5, 2) * weight).sum().backward()
    assert weight.grad.abs().item() > 0
    learned = {name for name, parameter in neuron.named_parameters() if parameter.grad.abs() > 0}
    assert learned == {"both": {"tau_a", "tau_b"}, "spatial": {"tau_a"}, "temporal": {"tau_b"}, "none": set()}[learn]


@pytest.mark.parametrize(("learn", "fixed"), [("spatial", "beta"), ("temporal", "alpha")])
def test_a_fixed_decay_is_the_given_number_whatever_the_activation_reaches(learn, fixed):
    neuron = DALIF(learn=learn, activation="tanh", **{f"{fixed}_init": 1.0})
    assert getattr(neuron, fixed).item() == 1.0
    assert fixed in " ".join(neuron.state_dict())


def test_decays_and_free_parameters_are_inverse():
    for activation, decay in product(ACTIVATIONS, (0.01, 0.5, 0.99)):
        tau = torch.tensor(free_parameter(decay, activation), dtype=torch.float64)
        assert ACTIVATIONS[activation](tau).item() == pytest.approx(decay, rel=1e-12)
    assert free_parameter(-0.5, "tanh") == pytest.approx(-math.log(3) / 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activation": "sigmoid", "beta_init": -0.1}, "sigmoid does not reach"),
        ({"activation": "tanh", "alpha_init": 1.0}, "tanh does not reach"),
        ({"activation": "clamp", "beta_init": 1.5}, "clamp does not reach"),
        ({"activation": "relu"}, "unknown activation"),
        ({"surrogate": "step"}, "surrogate 'step'"),
        ({"reset": "none"}, "reset 'none'"),
        ({"learn": "all"}, "unknown learn"),
        ({"v_threshold": 0.0}, "above 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        DALIF(**options)
