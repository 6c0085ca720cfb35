"""Surrogate gradients and backpropagation through time, against finite differences of smooth functions.

The functions differentiated here are written in numpy from the equations, apart from the code under test.
"""

import math
from itertools import product

import numpy as np
import pytest
import torch

from dalif_deploy.neuron import DALIF
from dalif_deploy.neuron.surrogate import SURROGATES, spike

THRESHOLD, WIDTH = 0.8, 1.5

# what a surrogate would fire if spikes were smooth, of u = (V - threshold) / width
PRIMITIVES = {
    "atan": lambda u: np.arctan(math.pi * u) / math.pi + 0.5,
    "sigmoid": lambda u: 1 / (1 + np.exp(-4 * u)),
    "triangle": lambda u: np.where(u < 0, np.clip(1 + u, 0, 1) ** 2 / 2, 1 - np.clip(1 - u, 0, 1) ** 2 / 2),
    "rectangle": lambda u: np.clip(u + 0.5, 0, 1),
}
DECAYS = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "clamp": lambda x: np.clip(x, 0, 1)}


def membranes(x, alpha, beta, reset, spikes=None):
    """V of each step; the neuron resets where it fires, or where `spikes` says."""
    h, out = np.zeros_like(x[0]), []
    for t, x_t in enumerate(x):
        v = beta * h + alpha * x_t
        s = (v >= THRESHOLD) if spikes is None else spikes[t]
        h = np.where(s, 0, v) if reset == "zero" else v - THRESHOLD * s
        out.append(v)
    return np.array(out)


@pytest.mark.parametrize(
    ("surrogate", "activation", "reset"), list(product(PRIMITIVES, DECAYS, ["zero", "subtract"]))
)  # fmt: skip
def test_gradients_through_time_equal_finite_differences(surrogate, activation, reset):
    """Spikes frozen where they reset, smooth where they leave: the function whose gradient DALIF claims to give."""
    rng = np.random.default_rng(3)
    x, weight = rng.random((9, 16)) * 1.4, rng.random((9, 16)) + 0.1
    options = {"alpha_init": 0.6, "beta_init": 0.4, "v_threshold": THRESHOLD, "width": WIDTH}
    neuron = DALIF(surrogate=surrogate, activation=activation, reset=reset, **options).double()
    inputs = torch.tensor(x, requires_grad=True)
    spikes = neuron(inputs)
    (spikes * torch.tensor(weight)).sum().backward()
    point = [neuron.tau_a.item(), neuron.tau_b.item()]
    decays = [DECAYS[activation](tau) for tau in point]
    frozen = membranes(x, *decays, reset) >= THRESHOLD
    assert np.array_equal(spikes.detach().numpy(), frozen) and 0.1 < frozen.mean() < 0.9

    def loss(tau_a, tau_b, x=x):
        v = membranes(x, DECAYS[activation](tau_a), DECAYS[activation](tau_b), reset, frozen)
        return (weight * PRIMITIVES[surrogate]((v - THRESHOLD) / WIDTH)).sum()

    eps = 1e-6
    for k, parameter in enumerate((neuron.tau_a, neuron.tau_b)):
        up, down = (list(point) for _ in range(2))
        up[k], down[k] = point[k] + eps, point[k] - eps
        assert parameter.grad.item() == pytest.approx((loss(*up) - loss(*down)) / (2 * eps), rel=1e-5)
        assert abs(parameter.grad.item()) > 0.1
    for place in ((0, 0), (4, 7), (8, 15)):
        nudge = np.zeros_like(x)
        nudge[place] = eps
        slope = (loss(*point, x + nudge) - loss(*point, x - nudge)) / (2 * eps)
        assert inputs.grad[place].item() == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_the_gradient_of_one_step_in_closed_form():
    """alpha 0.5, x 1, threshold 1, atan: dS/dx = 0.5 / (1 + (pi/2)^2)."""
    neuron = DALIF(learn="none", alpha_init=0.5)
    x = torch.ones(1, 1, requires_grad=True)
    neuron(x).sum().backward()
    assert x.grad.item() == pytest.approx(0.5 / (1 + (math.pi / 2) ** 2))


@pytest.mark.parametrize("surrogate", list(PRIMITIVES))
def test_each_surrogate_s_primitive_and_bump_are_as_published(surrogate):
    u = torch.linspace(-3, 3, 61, dtype=torch.float64) + 0.013
    primitive, bump = SURROGATES[surrogate]
    np.testing.assert_allclose(primitive(u), PRIMITIVES[surrogate](u.numpy()), atol=1e-12)
    slope = (PRIMITIVES[surrogate](u.numpy() + 1e-6) - PRIMITIVES[surrogate](u.numpy() - 1e-6)) / 2e-6
    np.testing.assert_allclose(bump(u), slope, atol=1e-6)
    assert bump(torch.zeros(1)).item() == pytest.approx(1)
    ends = primitive(torch.tensor([-1e4, 1e4])).tolist()
    assert ends == pytest.approx([0, 1], abs=1e-3)


@pytest.mark.parametrize("surrogate", list(PRIMITIVES))
@pytest.mark.parametrize("width", [0.5, 2.0])
def test_width_stretches_the_bump_and_keeps_its_area(surrogate, width):
    v = torch.linspace(-400, 400, 800_001, dtype=torch.float64, requires_grad=True)
    s = spike(v, 1.0, surrogate, width)
    assert torch.equal(s, (v >= 1).double())
    s.sum().backward()
    assert v.grad.sum().item() * 1e-3 == pytest.approx(1, abs=2e-3)
    assert v.grad.max().item() == pytest.approx(1 / width, rel=1e-6)
