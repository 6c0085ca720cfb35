"""Rate coding: counts against the closed form, every way of writing a ReLU, and the ReLU network's own decisions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import dalif_deploy
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.rate_coding import accuracy_over_steps, convert
from dalif_deploy.rate_coding.convert import RateNeurons
from dalif_deploy.rate_coding.thresholds import best_threshold, spoken


def test_a_neuron_says_the_nearest_level_of_a_constant_input():
    steps, threshold = 16, 2.0
    x = torch.linspace(-1, 3, 401)
    x = x[((x * steps / threshold + 0.5) % 1 - 0.5).abs() < 0.49]  # float32 may fall either way half between levels
    said = RateNeurons(threshold, steps)(x.expand(steps, 1, -1).flatten(0, 1)).unflatten(0, (steps, 1)).mean(0)[0]
    torch.testing.assert_close(said, spoken(x, threshold, steps))
    assert said.min() == 0 and said.max() == threshold  # both ends were reached


def test_the_threshold_is_the_best_of_a_finer_search():
    activations = torch.distributions.Exponential(1.0).sample((5000,))
    for steps in (2, 8, 32):

        def error(threshold: float, steps: int = steps) -> float:
            return float((spoken(activations, threshold, steps) - activations).square().mean())

        finest = min(error(float(activations.max()) * k / 1000) for k in range(1, 1001))
        assert error(best_threshold(activations, steps)) <= 1.05 * finest


class EveryWay(nn.Module):
    """One nn.ReLU used twice, functional and method forms, in place, a residual sum in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(64, 20), nn.Linear(20, 20), nn.Linear(20, 10)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.first(x.flatten(1)))
        y = self.relu(self.second(x))
        y += x
        y = F.relu(self.second(y)) + torch.relu(self.second(y)) + self.second(y).relu()
        return F.log_softmax(self.last(y), dim=1)


def test_every_way_of_writing_a_relu():
    torch.manual_seed(0)
    model, x = EveryWay(), torch.rand(64, 1, 8, 8)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    network = convert(model, x, steps=256)
    assert len(network.thresholds) == 5
    with torch.no_grad():
        own, ours = model(x), network(x)
    # with many steps activations are said finely; only the softmax at the end is gone
    torch.testing.assert_close(F.log_softmax(ours, dim=1), own, atol=0.02, rtol=0)
    assert model.training and all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.GELU()), "GELU has no spiking counterpart"),
        (nn.Sequential(nn.Linear(4, 4)), "there is no ReLU in it"),
        (nn.Sequential(nn.Linear(4, 4), nn.Threshold(1e9, -1.0), nn.ReLU()), "no activation is above 0"),
    ],
)
def test_what_is_refused(model, message):
    with pytest.raises(UserError, match=message):
        convert(model, torch.rand(8, 4), steps=4)


@pytest.fixture(scope="module")
def digits():
    """A small ReLU network, trained, with training images and test data."""
    train, test = dalif_deploy.load_data("digits:train"), dalif_deploy.load_data("digits:test")
    x, y = torch.as_tensor(train.inputs, dtype=torch.float32), torch.as_tensor(train.labels).long()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(8):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    return model.eval(), x[:300], test


def test_digits_decided_as_by_the_relu_network(digits):
    model, x, test = digits
    found = accuracy_over_steps(model, x, (test.inputs, test.labels), steps=(1, 32))
    assert found[0] > 0.9
    assert abs(found[32] - found[0]) <= 0.01
    assert found[1] < found[32]


def test_a_converted_network_goes_on_as_any_other(digits, tmp_path):
    model, x, test = digits
    network = convert(model, x, steps=16)
    net = dalif_deploy.export(network, x[:16], out=tmp_path / "out", chip="loihi2", steps=16, input_mode="bias")
    layers = net.export["verification"]["layers"]  # a difference would have stopped the export
    assert len(layers) == 2 and all(layer["compared"] and layer["spikes"] for layer in layers)
    own = accuracy_over_steps(model, x, (test.inputs, test.labels), steps=())[0]
    assert abs(dalif_deploy.simulate(net, "digits:test").accuracy - own) <= 0.02
