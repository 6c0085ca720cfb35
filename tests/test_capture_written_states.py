"""Synaptic currents, readouts and codes that a forward writes out itself, without a module for them."""

import nir
import numpy as np
import pytest
import torch
from torch import nn

import dalif_deploy
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference

STEPS, ALPHA, BETA = 12, 0.7, 0.9


def trains(steps=STEPS, size=20):
    return (torch.rand(6, steps, size, generator=torch.Generator().manual_seed(0)) < 0.3).float()


def fired(v):
    """Ones written by a mask, as SpyTorch does."""
    out = torch.zeros_like(v)
    out[v > 0] = 1.0
    return out


class Written(nn.Module):
    """Two layers; `update` says what a step does to (membrane, current, spikes), `still` shows one image."""

    def __init__(self, update, *, bias=True, still=False, start=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2 = nn.Linear(20, 16, bias=bias), nn.Linear(16, 4, bias=bias)
        self.update, self.still, self.start = update, still, start
        with torch.no_grad():
            self.fc1.weight.mul_(4)
            self.fc2.weight.mul_(4)

    def forward(self, x):
        n = len(x)
        states = [[torch.full((n, m), self.start), torch.zeros(n, m), torch.zeros(n, m)] for m in (16, 4)]
        record = []
        for t in range(STEPS):
            states[0] = list(self.update(self.fc1(x if self.still else x[:, t]), *states[0]))
            states[1] = list(self.update(self.fc2(states[0][2]), *states[1]))
            record.append(states[1][2])
        return torch.stack(record, 1)


def before_charge(x, v, i, s):
    s = fired(v - 1)
    return (BETA * v + i) * (1 - s), ALPHA * i + x, s


def before_charge_without_current(x, v, i, s):
    s = fired(v - 1)
    return BETA * v + x - s * BETA, i, s


def with_current(x, v, i, s):
    i = ALPHA * i + x
    v = BETA * v + i
    s = fired(v - 1)
    return v - s, i, s


def chosen_by_masks(x, v, i, s):
    v = v + (x - v) / 2
    s = v >= 0.5
    return torch.where(s, -0.25, v), i, (s == 1).to(v.dtype)


def filled_by_masks(x, v, i, s):
    v = 0.8 * v + x
    s = torch.heaviside(v - 1, torch.tensor(0.0))
    return v.masked_fill(s.bool(), 0.0), i, 1.0 - (~s.bool()).to(v.dtype)


def asked_twice(x, v, i, s):
    v = BETA * v + x
    over = v / 0.8 - 1
    return v - 0.8 * (v > 0.8).to(v.dtype), i, fired(over)


@pytest.mark.parametrize("start", [0.0, 0.4])
@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize(
    "update",
    [before_charge, before_charge_without_current, with_current, chosen_by_masks, filled_by_masks, asked_twice],
)
def test_every_spike_is_the_forward_s(update, still, start):
    """Held against the module's own result, step by step; a tie would be counted, and there is none."""
    # under a still image the first steps are left out, in which a current would take biases up already
    model = Written(update, bias=not (still and update is before_charge), still=still, start=start)
    x = torch.rand(6, 20, generator=torch.Generator().manual_seed(1)) if still else trains()
    source = source_of_module(model, x, time_axis=None if still else 1)
    assert not source.verification.ties and all(layer.spikes > 10 for layer in source.verification.layers)
    steps = source.verification.steps
    (found,) = run_reference(
        source.graph, x.double().numpy(), dt=source.dt, steps=steps if still else None
    ).outputs.values()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            own = model.double()(x.double()).numpy()
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(found, own[:, -steps:])
    assert not own[:, : STEPS - steps].any()  # steps that are left out: nothing had come yet


class Readout(nn.Module):
    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2, self.how = nn.Linear(20, 16), nn.Linear(16, 4), how
        with torch.no_grad():
            self.fc1.weight.mul_(4)

    def forward(self, x):
        v = torch.zeros(len(x), 16)
        i, out = torch.zeros(len(x), 4), torch.zeros(len(x), 4)
        record = [out]
        for t in range(x.shape[1]):
            v = 0.8 * v + self.fc1(x[:, t])
            s = fired(v - 1)
            v = v - s
            i, out = ALPHA * i + self.fc2(s), BETA * out + i  # the current of the step before
            record.append(out)
        if self.how == "last":
            return out
        return torch.stack(record, 1) if self.how == "steps" else torch.stack(record, 1).max(1).values


@pytest.mark.parametrize("how", ["last", "steps", "max"])
def test_a_readout_of_two_decays_is_found(how):
    source = source_of_module(Readout(how), trains(20), time_axis=1)
    (readout,) = (node for node in source.graph.nodes.values() if isinstance(node, nir.CubaLI))
    decays = sorted(1 - source.dt / np.unique(np.round(tau, 12))[0] for tau in (readout.tau_syn, readout.tau_mem))
    np.testing.assert_allclose(decays, [ALPHA, BETA], atol=1e-9)
    assert source.graph.metadata["decision_what"] == "membrane"
    assert source.graph.metadata["decision_over_time"] == {"steps": "last"}.get(how, how)


class TwoDecaysMore(Readout):
    def forward(self, x):
        i = j = out = torch.zeros(len(x), 4)
        s = self.fc1(x)
        for t in range(x.shape[1]):
            i = 0.5 * i + self.fc2(fired(s[:, t]))
            j = 0.6 * j + i
            out = 0.7 * out + j
        return out


def test_three_decays_in_a_row_are_refused():
    with pytest.raises(UserError, match="more than two leaky sums in a row"):
        source_of_module(TwoDecaysMore("last"), trains(20), time_axis=1)


class Coded(nn.Module):
    """Codes its images itself: `code` gives a step's input."""

    def __init__(self, code, once=False):
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.code, self.once = nn.Linear(20, 8), code, once
        with torch.no_grad():
            self.fc.weight.mul_(4)

    def forward(self, x):
        v, counts = torch.zeros(len(x), 8), 0
        coded = self.code(x) if self.once else None
        for _ in range(STEPS):
            v = 0.9 * v + self.fc(self.code(x) if coded is None else coded)
            s = fired(v - 1)
            v = v * (1 - s)
            counts = counts + s
        return counts


def images():
    return torch.rand(6, 20, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    "code",
    [
        torch.bernoulli,
        lambda x: (x > torch.rand(x.shape)).float(),
        lambda x: torch.rand_like(x).le(x).to(x),
        lambda x: (torch.rand(x.shape) < x).to(x.dtype),
    ],
)
def test_random_coding_in_the_forward_becomes_the_input(code):
    model = Coded(code)
    source = source_of_module(model, images())
    assert tuple(source.graph.nodes["input"].input_type["input"]) == (20,)
    (note,) = source.verification.notes
    assert "codes its data itself" in note and "[N, T, 20]" in note
    torch.manual_seed(5)
    drawn = dalif_deploy.coded_samples(model, images())
    torch.manual_seed(5)
    again = dalif_deploy.coded_samples(model, images())
    assert drawn.shape == (6, STEPS, 20) and set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_array_equal(drawn, again)
    assert (drawn != drawn[:, :1]).any()  # each step draws anew
    rates = images().numpy()
    assert abs(drawn.mean() - rates.mean()) < 0.05


def test_what_is_done_once_to_the_data_is_an_input_that_stands_still():
    def normalised(x):
        return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-6)

    model = Coded(normalised, once=True)
    found = dalif_deploy.coded_samples(model, images())
    np.testing.assert_allclose(found, normalised(images()).numpy(), atol=1e-5)
    with pytest.raises(UserError, match="takes its data as they are"):
        dalif_deploy.coded_samples(Coded(lambda x: x), images())


def test_two_codes_share_the_input():
    model = Coded(lambda x: torch.relu(x - 0.5) - 2 * torch.relu(0.3 - x), once=True)
    source = source_of_module(model, images())
    assert tuple(source.graph.nodes["input"].input_type["input"]) == (40,)
    found = dalif_deploy.coded_samples(model, images())
    x = images().numpy()
    np.testing.assert_allclose(found, np.concatenate([np.maximum(x - 0.5, 0), np.maximum(0.3 - x, 0)], 1), atol=1e-6)


class Refused(nn.Module):
    def __init__(self, between):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2, self.between = nn.Linear(20, 16), nn.Linear(16, 4), between

    def forward(self, x):
        v, w, out = torch.zeros(len(x), 16), torch.zeros(len(x), 4), []
        for t in range(x.shape[1]):
            v = 0.9 * v + self.fc1(x[:, t])
            s = fired(v - 0.5)
            v = v - 0.5 * s
            w = 0.9 * w + self.between(self.fc2(s))
            z = fired(w - 0.2)
            w = w * (1 - z)
            out.append(z)
        return torch.stack(out)


@pytest.mark.parametrize(
    ("between", "named"),
    [
        (lambda h: h * torch.sigmoid(h), "product of two signals"),
        (lambda h: h + 0.1 * torch.randn_like(h), "differ from sample to sample"),
        (lambda h: nn.functional.layer_norm(h, (4,)), "a norm .* of the activity at hand"),
        (torch.exp, "the function exp between layers"),
        (lambda h: torch.maximum(h, h.flip(-1)), "signals that are compared"),
        (torch.relu, "a ReLU between layers"),
    ],
)
def test_a_refusal_names_what_neurons_can_not_do(between, named):
    with pytest.raises(UserError, match=named):
        source_of_module(Refused(between), trains(), time_axis=1)
