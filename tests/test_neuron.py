"""DA-LIF against its equation, and its gradients against finite differences."""

import itertools

import pytest
import torch

from dalif_deploy.neuron import DALIF
from dalif_deploy.neuron.surrogate import SURROGATES, smooth_spike, spike


def by_hand(x, alpha, beta, threshold, reset):
    """The equation, one number at a time."""
    out, h = [], 0.0
    for value in x:
        v = beta * h + alpha * value
        s = 1.0 if v >= threshold else 0.0
        h = v * (1 - s) if reset == "zero" else v - threshold * s
        out.append((s, h))
    return out


@pytest.mark.parametrize(("reset", "activation"), itertools.product(["zero", "subtract"], ["tanh", "sigmoid", "clamp"]))
def test_spikes_and_membrane_follow_the_equation(reset, activation):
    torch.manual_seed(0)
    x = torch.randn(20, 3, dtype=torch.float64) + 0.5
    neuron = DALIF(activation=activation, alpha_init=0.7, beta_init=0.6, reset=reset).double()
    held = []
    spikes = neuron(x, held)
    for n in range(3):
        expected = by_hand(x[:, n].tolist(), neuron.alpha.item(), neuron.beta.item(), 1.0, reset)
        assert spikes[:, n].tolist() == [s for s, _ in expected]
        assert torch.stack(held)[:, n].tolist() == pytest.approx([h for _, h in expected])
    assert 0 < spikes.mean() < 1
    assert (neuron.alpha.item(), neuron.beta.item()) == pytest.approx((0.7, 0.6))


def test_fires_at_the_threshold():
    neuron = DALIF(activation="clamp", alpha_init=1.0, beta_init=0.5)
    assert neuron(torch.tensor([[1.0]])).item() == 1
    assert neuron(torch.tensor([[0.9999999]])).item() == 0


def test_single_steps_give_the_sequence():
    torch.manual_seed(1)
    x = torch.randn(7, 2, 3, 4)
    neuron = DALIF()
    state, steps = None, []
    for x_t in x:
        s, state = neuron.step(x_t, state)
        steps.append(s)
    assert torch.equal(torch.stack(steps), neuron(x))


@pytest.mark.parametrize(("learn", "alpha", "beta"), [
    ("both", True, True), ("spatial", True, False), ("temporal", False, True), ("none", False, False),
])  # fmt: skip
def test_only_the_decays_asked_for_are_learned(learn, alpha, beta):
    neuron = DALIF(learn=learn)
    weight = torch.ones(1, requires_grad=True)
    neuron(torch.ones(5, 2) * weight).sum().backward()
    assert (neuron.tau_a.grad is not None, neuron.tau_b.grad is not None) == (alpha, beta)


@pytest.mark.parametrize(("surrogate", "activation"), itertools.product(SURROGATES, ["tanh", "sigmoid", "clamp"]))
def test_gradients_of_both_decays_equal_finite_differences_of_the_smooth_neuron(surrogate, activation):
    """The smooth neuron without a reset is an ordinary function; autograd and differences must agree on it."""
    torch.manual_seed(2)
    x = torch.rand(6, 8, dtype=torch.float64)
    options = {"activation": activation, "alpha_init": 0.6, "beta_init": 0.4, "v_threshold": 0.8, "width": 2.0}

    class NoReset(DALIF):
        def step(self, x, state=None):
            v = self.alpha * x if state is None else self.alpha * x + self.beta * state
            fire = smooth_spike if self.smooth else spike
            return fire(v - self.v_threshold, self.surrogate, self.width), v

    neuron = NoReset(surrogate=surrogate, smooth=True, **options).double()
    weights = torch.rand(6, 8, dtype=torch.float64)
    (neuron(x) * weights).sum().backward()
    for parameter in (neuron.tau_a, neuron.tau_b):
        values = []
        for shift in (1e-6, -1e-6):
            with torch.no_grad():
                parameter += shift
                values.append((neuron(x) * weights).sum().item())
                parameter -= shift
        assert parameter.grad.item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5)
        assert parameter.grad.abs() > 1e-3
    # the spiking neuron's backward is the same function of the same membranes
    spiking = NoReset(surrogate=surrogate, **options).double()
    (spiking(x) * weights).sum().backward()
    assert spiking.tau_b.grad.item() == pytest.approx(neuron.tau_b.grad.item())


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_surrogates_are_the_derivative_of_their_primitive_and_rise_from_0_to_1(surrogate):
    x = torch.linspace(-3, 3, 61, dtype=torch.float64) + 0.013
    primitive, bump = SURROGATES[surrogate]
    assert torch.allclose((primitive(x + 1e-6) - primitive(x - 1e-6)) / 2e-6, bump(x), atol=1e-5)
    assert primitive(torch.tensor(-1e4)).item() == pytest.approx(0, abs=1e-3)
    assert primitive(torch.tensor(1e4)).item() == pytest.approx(1, abs=1e-3)


def test_a_decay_out_of_reach_is_refused():
    with pytest.raises(ValueError, match="sigmoid does not reach"):
        DALIF(activation="sigmoid", beta_init=-0.1)
