"""The network against its parts, and training as a whole."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dalif_deploy.data import LabelledData
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.evaluation import evaluate

SPEC = NetworkSpec(input_shape=(2, 7, 9), classes=3, channels=[4, 5], strides=[2, 1], steps=6)


def settled(spec=SPEC):
    """A network in evaluation mode with batch norms that do something, and spikes in every layer."""
    torch.manual_seed(1)
    network = build_network(spec).double()
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.1, 0.5)
        norm.bias.data.fill_(0.3)
    return network.eval()


@torch.no_grad()
def test_the_network_is_what_its_parts_give_step_by_step():
    network = settled()
    x = torch.rand(3, 2, 7, 9, dtype=torch.float64)
    held, total = [0.0, 0.0], 0.0
    expected = {"block1": [], "block2": []}
    for _ in range(6):
        value = x
        for k, block in enumerate(network.layers.values()):
            (branch,) = block.branches
            n = branch.norm
            u = F.conv2d(value, branch.linear.weight, stride=[2, 1][k], padding=1)
            u = (u - n.running_mean[:, None, None]) / (n.running_var[:, None, None] + 1e-5).sqrt()
            u = u * n.weight[:, None, None] + n.bias[:, None, None]
            v = torch.tanh(block.neuron.tau_b) * held[k] + torch.tanh(block.neuron.tau_a) * u
            value = (v >= 1).double()
            held[k] = v * (1 - value)
            expected[f"block{k + 1}"].append((value, held[k]))
        total = total + value.flatten(1) @ network.readout.weight.T + network.readout.bias
    logits, records = network.forward_recorded(x)
    torch.testing.assert_close(logits, total / 6)
    for name, layers in expected.items():
        assert torch.equal(records[name]["spikes"], torch.stack([s for s, _ in layers]))
        torch.testing.assert_close(records[name]["membrane"], torch.stack([h for _, h in layers]))
        assert 0.02 < records[name]["spikes"].mean() < 0.98
    assert torch.equal(network(x), logits)


@torch.no_grad()
def test_a_residual_network_adds_its_shortcuts_before_the_neurons():
    spec = NetworkSpec(
        arch="resnet", input_shape=(2, 8, 8), classes=3, channels=[4, 6], strides=[1, 2], steps=3,
        neuron={"learn": "none", "alpha_init": 0.8, "beta_init": 0.5},
    )  # fmt: skip
    network = settled(spec)
    x = torch.rand(4, 2, 8, 8, dtype=torch.float64)
    logits, records = network.forward_recorded(x)
    fired = {name: record["spikes"] for name, record in records.items()}
    assert list(fired) == ["stem", "block1a", "block1b", "block2a", "block2b"]
    for name, source, shortcut in (("block1b", "block1a", "stem"), ("block2b", "block2a", "block1b")):
        layer = network.layers[name]
        v = 0.0
        for t in range(3):
            straight = layer.branches[0].norm(layer.branches[0].linear(fired[source][t]))
            around = fired[shortcut][t]
            if name == "block2b":  # the image halves: a 1x1 convolution
                assert layer.branches[1].linear.kernel_size == (1, 1)
                around = layer.branches[1].norm(layer.branches[1].linear(around))
            v = 0.5 * v + 0.8 * (straight + around)
            assert torch.equal(fired[name][t], (v >= 1).double())
            v = v * (v < 1)
        assert 0.02 < fired[name].mean() < 0.98
    torch.testing.assert_close(logits, network.readout(fired["block2b"].mean(dim=(0, 3, 4))))


@torch.no_grad()
def test_a_still_image_equals_the_sequence_that_repeats_it_and_a_moving_one_does_not():
    network = settled()
    x = torch.rand(3, 2, 7, 9, dtype=torch.float64)
    torch.testing.assert_close(network(x), network(x.expand(6, *x.shape)))
    moving = torch.rand(6, 3, 2, 7, 9, dtype=torch.float64)
    assert not torch.allclose(network(moving), network(moving.flip(0)))


def test_gradients_reach_every_parameter():
    network = settled().train()
    network(torch.rand(8, 2, 7, 9, dtype=torch.float64))[:, 0].sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0 or name in ("readout.weight", "readout.bias"), name


def test_evaluate_counts_the_last_partial_batch():
    network = settled().float()
    inputs = np.random.default_rng(0).random((10, 2, 7, 9), dtype=np.float32)
    with torch.no_grad():
        answers = network(torch.from_numpy(inputs)).argmax(1).numpy()
    labels = np.where(np.arange(10) < 7, answers, (answers + 1) % 3)
    assert evaluate(network, LabelledData(inputs, labels, None, "x"), batch_size=4) == pytest.approx(0.7)


def config(**changes):
    small = {"channels": [4, 6], "strides": [1, 2], "epochs": 2, "batch_size": 64, "lr": 5e-3, "shift": 1, "steps": 2}
    return TrainConfig(dataset="digits", **{**small, **changes})


def test_training_writes_a_checkpoint_as_good_as_its_metrics_say(tmp_path):
    from dalif_deploy.data import load_data

    metrics = train(config(), tmp_path / "run")
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(written.pop("files")) == {"metrics.jsonl", "model.pt"} and written == metrics
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["metrics.json", "metrics.jsonl", "model.pt"]
    checkpoint = load_checkpoint(tmp_path / "run" / "model.pt")
    assert checkpoint.info["dataset"] == "digits" and checkpoint.info["input_step"] == 1 / 16
    assert evaluate(checkpoint.network, load_data("digits:test")) == metrics["test_accuracy"] > 0.3
    one, two = metrics["epochs"]
    assert one["loss"] > two["loss"] and one["lr"] != two["lr"] and two["seconds"] > 0
    assert two["beta"] == [b.neuron.beta.item() for b in checkpoint.network.layers.values()] != [0.5, 0.5]
    assert two["alpha"] == [b.neuron.alpha.item() for b in checkpoint.network.layers.values()] != [0.9, 0.9]
    assert metrics["config"]["neuron"]["reset"] == "zero" and metrics["versions"]["torch"] == str(torch.__version__)


def test_a_seed_decides_every_bit(tmp_path):
    states = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train(config(seed=seed, epochs=1), tmp_path / name)
        states.append(load_checkpoint(tmp_path / name / "model.pt").network.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["readout.weight"], states[2]["readout.weight"])


@pytest.mark.parametrize(("learn", "moving"), [("spatial", "alpha"), ("temporal", "beta"), ("none", None)])
def test_training_leaves_fixed_decays_alone(tmp_path, learn, moving):
    metrics = train(config(neuron={"learn": learn}, epochs=1), tmp_path / "run")
    for decay, start in (("alpha", 0.9), ("beta", 0.5)):
        found = metrics["epochs"][-1][decay]
        assert (found != pytest.approx([start, start], abs=1e-6)) == (decay == moving)


def test_a_loss_that_is_no_number_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match="smaller --lr"):
        train(config(lr=1e30), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(250)
def test_digits_reach_97_percent_with_the_defaults(tmp_path):
    from dalif_deploy.training.config import DEFAULTS

    metrics = train(TrainConfig(dataset="digits", **DEFAULTS["digits"]), tmp_path / "run")
    assert metrics["test_accuracy"] >= 0.97
    assert all(0 <= beta < 1 for beta in metrics["epochs"][-1]["beta"])


def test_a_training_starts_with_a_trained_network(tmp_path):
    common = {"dataset": "digits", "channels": [4, 6], "strides": [2, 1], "batch_size": 128, "lr": 5e-3}
    first = train(TrainConfig(**common, steps=2, epochs=3), tmp_path / "first")
    start = str(tmp_path / "first")
    # a step too small to change anything: what comes out is what went in, in the float arithmetic it was trained in
    still = train(TrainConfig(**{**common, "lr": 1e-12}, steps=2, epochs=1, start_from=start), tmp_path / "still")
    before, after = (load_checkpoint(tmp_path / run / "model.pt").network for run in ("first", "still"))
    for name, value in before.named_parameters():
        torch.testing.assert_close(after.get_parameter(name), value, rtol=0, atol=1e-6)
    assert abs(still["test_accuracy"] - first["test_accuracy"]) < 0.1 and first["test_accuracy"] > 0.2
    # more steps, and the chip's arithmetic from the first epoch on
    chip = TrainConfig(**common, steps=3, epochs=1, start_from=start, quantize="loihi2", quantize_epochs=1)
    (epoch,) = train(chip, tmp_path / "chip")["epochs"]
    assert epoch["arithmetic"] == "loihi2"
    assert load_checkpoint(tmp_path / "chip" / "model.pt").info["config"]["start_from"] == start


def test_a_training_starts_with_no_network_of_other_layers(tmp_path):
    config = TrainConfig(
        dataset="digits", channels=[4, 6], strides=[2, 1], batch_size=128, lr=5e-3, epochs=1, start_from="zoo:digits"
    )
    with pytest.raises(UserError, match=r"block1.*is \[16, 1, 3, 3\] there, \[4, 1, 3, 3\] here"):
        train(config, tmp_path / "run")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="quantize_epochs 2 are more than epochs 1"):
        TrainConfig(**{**config.model_dump(), "quantize": "loihi2", "quantize_epochs": 2})
