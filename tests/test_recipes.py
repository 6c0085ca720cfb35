"""Optimizers, schedules, losses and augmentation against what their sources say; configuration files."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torchvision.transforms import v2

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.augmentation import augment, cropped, cut_out, flipped
from dalif_deploy.training.config_file import read_config_file
from dalif_deploy.training.losses import loss_and_logits, tet_loss
from dalif_deploy.training.optimization import make_optimizer, make_schedule

COMMAND = [sys.executable, "-c", "from dalif_deploy.cli.train import main; main()"]


def config(**changes):
    small = {"channels": [3], "strides": [2], "epochs": 2, "batch_size": 128, "lr": 5e-3, "steps": 2}
    return TrainConfig(dataset="digits", **{**small, **changes})


def firing(spec):
    """A network in evaluation mode whose layers fire, at some steps and not at others."""
    torch.manual_seed(0)
    network = build_network(spec)
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_var.fill_(0.2)
        norm.bias.data.fill_(0.5)
    return network.eval()


def test_logits_of_each_step_average_to_the_networks_answer():
    for arch in ({"channels": [4, 5], "strides": [1, 2]}, {"arch": "resnet", "channels": [4, 5], "strides": [1, 2]}):
        network = firing(NetworkSpec(input_shape=(1, 8, 8), classes=3, steps=5, **arch)).double()
        x = torch.rand(4, 1, 8, 8, dtype=torch.float64) * 3
        logits = network.logits_per_step(x)
        assert logits.shape == (5, 4, 3)
        torch.testing.assert_close(logits.mean(0), network(x))
        assert not torch.allclose(logits[0], logits[4])
        # a step's logits know nothing of later images
        moving = torch.rand(5, 4, 1, 8, 8, dtype=torch.float64) * 3
        other = moving.clone()
        other[3:] = 0
        torch.testing.assert_close(network.logits_per_step(moving)[:3], network.logits_per_step(other)[:3])


def official_tet(outputs, labels, criterion, means, lamb):
    """As in the authors' repository (brain-intelligence-lab/temporal_efficient_training, functions.py): [N, T, C]."""
    steps = outputs.size(1)
    entropy = 0
    for t in range(steps):
        entropy += criterion(outputs[:, t, ...], labels)
    entropy = entropy / steps
    distance = 0 if lamb == 0 else torch.nn.MSELoss()(outputs, torch.zeros_like(outputs).fill_(means))
    return (1 - lamb) * entropy + lamb * distance


@pytest.mark.parametrize("regulariser", [0.0, 0.05])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_tet_is_its_authors(regulariser, smoothing):
    logits = torch.randn(4, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    found = tet_loss(logits, labels, label_smoothing=smoothing, regulariser=regulariser, target=0.8)
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    wanted = official_tet(logits.transpose(0, 1), labels, criterion, 0.8, regulariser)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (found, wanted)))


def test_the_configuration_decides_the_loss():
    network = firing(config().network((1, 8, 8), 10))
    x, labels = torch.rand(6, 1, 8, 8) * 3, torch.arange(6)
    steps = network.logits_per_step(x)
    assert not torch.allclose(steps[0], steps[1])
    plain, logits = loss_and_logits(network, x, labels, config())
    torch.testing.assert_close(logits, steps.mean(0))
    torch.testing.assert_close(plain, -torch.log_softmax(logits, 1)[range(6), labels].mean())
    smooth, _ = loss_and_logits(network, x, labels, config(label_smoothing=0.1))
    torch.testing.assert_close(smooth, 0.9 * plain - 0.1 * torch.log_softmax(logits, 1).mean())
    told = config(loss="tet", tet_lambda=0.05, neuron={"v_threshold": 0.7})
    tet, logits = loss_and_logits(network, x, labels, told)
    torch.testing.assert_close(tet, tet_loss(steps, labels, regulariser=0.05, target=0.7))
    torch.testing.assert_close(logits, steps.mean(0))


def rates(told, batches=10):
    parameter = torch.nn.Parameter(torch.zeros(1))
    holder = torch.nn.ParameterList([parameter])
    optimizer = make_optimizer(holder, told)
    schedule = make_schedule(optimizer, told, batches)
    found, momenta = [], []
    for _ in range(told.epochs * batches):
        found.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0].get("momentum"))
        optimizer.step()
        schedule.step()
    return found, momenta, optimizer


def test_cosine_rises_in_a_line_and_falls_to_nothing():
    found, _, _ = rates(config(schedule="cosine", warmup_epochs=0.4, lr=0.1))
    np.testing.assert_allclose(found[:5], [0.02, 0.04, 0.06, 0.08, 0.1])
    np.testing.assert_allclose(found[4:], [0.05 * (1 + math.cos(math.pi * k / 16)) for k in range(16)])
    found, _, _ = rates(config(schedule="cosine", lr=0.1))
    wanted = torch.optim.lr_scheduler.CosineAnnealingLR
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = wanted(optimizer, 20)
    for rate in found:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()


def test_one_cycle_leaves_the_momentum_of_sgd_alone():
    found, momenta, optimizer = rates(config(optimizer="sgd", momentum=0.8, nesterov=True, weight_decay=0.01))
    assert max(found) == pytest.approx(5e-3, rel=0.01) and found[0] < 0.1 * max(found) > found[-1]
    assert set(momenta) == {0.8}
    group = optimizer.param_groups[0]
    assert isinstance(optimizer, torch.optim.SGD) and group["nesterov"] and group["weight_decay"] == 0.01


def test_images_are_flipped_and_cropped_as_torchvision_does_each_on_its_own():
    x = torch.rand(200, 2, 5, 6, generator=torch.Generator().manual_seed(0)) + 1
    turned = flipped(x, np.random.default_rng(0))
    chosen = [torch.equal(turned[k], v2.functional.horizontal_flip(x[k])) for k in range(200)]
    assert all(c or torch.equal(turned[k], x[k]) for k, c in enumerate(chosen)) and 70 < sum(chosen) < 130
    cut, places = cropped(x, 2, np.random.default_rng(0)), set()
    for k in range(200):
        padded = v2.functional.pad(x[k], [2])
        matching = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(v2.functional.crop(padded, top, left, 5, 6), cut[k])
        ]
        assert len(matching) == 1
        places.update(matching)
    assert len(places) == 25  # all are used


def test_cutout_blanks_one_square_in_each_image():
    x = torch.ones(300, 2, 7, 8)
    holes = cut_out(x, 3, np.random.default_rng(0)) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    centres = set()
    for hole in holes[:, 0]:
        rows, columns = hole.any(1).nonzero().flatten(), hole.any(0).nonzero().flatten()
        assert hole.sum() == len(rows) * len(columns)  # a rectangle
        assert 2 <= len(rows) <= 3 and 2 <= len(columns) <= 3  # cut off at a border only
        assert len(rows) == 3 or {0, 6} & set(rows.tolist())
        assert len(columns) == 3 or {0, 7} & set(columns.tolist())
        centres.add((rows.float().mean().item(), columns.float().mean().item()))
    assert len(centres) == 56


def test_all_augmentation_moves_the_steps_of_a_sequence_together():
    still = torch.rand(9, 1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    told = config(shift=1, flip=True, crop_padding=2, cutout=3)
    found = augment(still.expand(9, 4, 1, 8, 8), told, np.random.default_rng(1))
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert torch.equal(found[:, 0], augment(still[:, 0], told, np.random.default_rng(1)))
    assert torch.equal(augment(still, config(), np.random.default_rng(1)), still)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nesterov": True}, "nesterov needs the optimizer sgd"),
        ({"optimizer": "sgd", "momentum": 0, "nesterov": True}, "nesterov needs"),
        ({"warmup_epochs": 1}, "warmup_epochs needs the schedule cosine"),
        ({"schedule": "cosine", "warmup_epochs": 2}, "must be less than epochs 2"),
        ({"tet_lambda": 0.1}, "tet_lambda needs the loss tet"),
        ({"width": 0.5}, "width scales the named"),
        ({"arch": "vgg11"}, "has its own channels"),
        ({"channels": None}, "needs channels and strides"),
        ({"optimizer": "adam"}, "adamw"),
        ({"label_smoothing": 1}, "label_smoothing"),
    ],
)
def test_what_would_do_nothing_is_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        config(**changes)


FIELDS = {"dataset": "digits", "epochs": 3, "loss": "tet", "channels": [4, 6], "neuron": {"learn": "spatial"}}
TOML = 'dataset = "digits"\nepochs = 3\nloss = "tet"\nchannels = [4, 6]\n[neuron]\nlearn = "spatial"\n'
YAML = "dataset: digits\nepochs: 3\nloss: tet\nchannels: [4, 6]\nneuron: {learn: spatial}\n"


def test_a_configuration_reads_the_same_from_each_kind_of_file(tmp_path):
    for name, text in (("c.toml", TOML), ("c.yaml", YAML), ("c.yml", YAML), ("c.json", json.dumps(FIELDS))):
        (tmp_path / name).write_text(text)
        assert read_config_file(tmp_path / name) == FIELDS


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.toml", "epoch = 3\n[neuron]\nbeta = 1\n", "unknown keys epoch, neuron.beta"),
        ("c.toml", "epochs = = 3", "not readable as toml"),
        ("c.yaml", "a: [", "not readable as yaml"),
        ("c.yaml", "!!python/object/apply:os.getcwd []", "not readable as yaml"),
        ("c.json", "{", "not readable as json"),
        ("c.json", "[1]", "not a table"),
        ("c.ini", "", "is not a .toml, .yaml or .json file"),
        (None, None, "cannot be read"),
    ],
)
def test_a_configuration_file_that_is_none_is_named(tmp_path, name, text, words):
    path = tmp_path / (name or "gone.toml")
    if name:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_config_file(path)
    assert words in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_options_go_before_the_file_and_what_is_printed_can_be_read_again(tmp_path):
    def printed(*options):
        command = [*COMMAND, *map(str, options), "--print-config"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    (tmp_path / "c.toml").write_text(TOML)
    found = printed("--config", tmp_path / "c.toml", "--epochs", "7", "--reset", "subtract", "--flip")
    assert (found["epochs"], found["loss"], found["channels"], found["strides"]) == (7, "tet", [4, 6], [1, 2])
    assert (found["neuron"]["learn"], found["neuron"]["reset"], found["flip"]) == ("spatial", "subtract", True)
    (tmp_path / "again.json").write_text(json.dumps(found))
    assert printed("--config", tmp_path / "again.json") == found


def test_the_configuration_is_in_the_model_and_the_logs_say_what_the_metrics_say(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = config(
        loss="tet", tet_lambda=0.05, optimizer="sgd", lr=0.1, nesterov=True, schedule="cosine", warmup_epochs=0.5,
        label_smoothing=0.1, flip=True, crop_padding=1, cutout=2,
    )  # fmt: skip
    metrics = train(told, tmp_path / "x", tensorboard=True)
    assert TrainConfig(**load_checkpoint(tmp_path / "x" / "model.pt").info["config"]) == told
    lines = (tmp_path / "x" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == metrics["epochs"]
    assert metrics["epochs"][1]["loss"] < metrics["epochs"][0]["loss"]
    events = EventAccumulator(str(tmp_path / "x" / "tensorboard"))
    events.Reload()
    for name in ("loss", "test_accuracy", "lr"):
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(epoch["epoch"], pytest.approx(epoch[name])) for epoch in metrics["epochs"]]
    assert [e.value for e in events.Scalars("beta/block1")] == pytest.approx([e["beta"][0] for e in metrics["epochs"]])


def test_tensorboard_that_is_missing_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"--tensorboard.*dalif-deploy\[tensorboard\]"):
        train(config(), tmp_path / "x", tensorboard=True)
    assert list(tmp_path.iterdir()) == []
