"""A training that was stopped, by whatever means, ends as if it had not been."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training import TrainConfig, fit, train
from dalif_deploy.training.training_state import TrainingState

COMMAND = [sys.executable, "-c", "from dalif_deploy.cli.train import main; main()"]
RECIPES = [
    {},
    {
        "optimizer": "sgd",
        "nesterov": True,
        "schedule": "cosine",
        "warmup_epochs": 0.5,
        "flip": True,
        "cutout": 2,
        "teacher": "zoo:digits",
    },
    {"quantize": "loihi2", "weight_bits": 4},  # the second epoch
]


def config(**changes):
    small = {"channels": [3], "strides": [2], "epochs": 2, "batch_size": 128, "lr": 5e-3, "shift": 1, "steps": 2}
    return TrainConfig(dataset="digits", **{**small, **changes})


def weights(folder):
    return load_checkpoint(folder / "model.pt").network.state_dict()


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def without_seconds(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


class Stopped(BaseException):
    """As abrupt as an interrupt."""


def stop_after(monkeypatch, saves):
    """The training stops after so many checkpoints."""
    left, save = [saves], TrainingState.save

    def counted(self, path, info):
        save(self, path, info)
        left[0] -= 1
        if left[0] == 0:
            raise Stopped

    monkeypatch.setattr(TrainingState, "save", counted)


@pytest.mark.parametrize("recipe", RECIPES, ids=["default", "sgd", "quantize"])
def test_it_goes_on_from_any_step_to_the_same_bits(tmp_path, recipe):
    whole = train(config(**recipe), tmp_path / "whole")
    expected = weights(tmp_path / "whole")
    # 11 steps an epoch, a checkpoint after each
    for saves in (1, 5, 10, 11, 12, 21, 22):
        out = tmp_path / f"stopped{saves}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            stop_after(patch, saves)
            train(config(**recipe), out, checkpoint_every=1)
        assert not out.exists()
        torch.manual_seed(saves)  # whatever else the process does with torch's generator
        resumed = train(config(**recipe), out, resume=True)
        assert_same(weights(out), expected)
        assert resumed["epochs"] == json.loads((out / "metrics.json").read_text())["epochs"]
        assert without_seconds(out / "metrics.jsonl") == without_seconds(tmp_path / "whole" / "metrics.jsonl")
        assert len(without_seconds(out / "metrics.jsonl")) == 2 == len(whole["epochs"])
    assert not list(tmp_path.glob("*.training"))


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path):
    options = ["--channels", "3", "--epochs", "20", "--steps", "2", "--batch-size", "128", "--checkpoint-every", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(out):
        resume = ["--resume"] if (tmp_path / f"{out.name}.training" / "checkpoint.pt").exists() else []
        command = [*COMMAND, "--out", str(out), *options, *resume]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    whole = start(tmp_path / "whole")
    assert whole.wait(120) == 0
    out, working = tmp_path / "killed", tmp_path / "killed.training"
    rng, kills, places = np.random.default_rng(0), 0, set()
    for kill in range(4):
        # from the first write on, or from the first checkpoint on: not while all it does is to import
        watched = working / "checkpoint.pt" if kill else working
        stamp = watched.stat().st_mtime_ns if watched.exists() else None
        process = start(out)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if watched.exists() and watched.stat().st_mtime_ns != stamp:
                break
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, 0.25)))
        process.kill()
        if process.wait(60) == 0:
            break
        kills += 1
        assert not out.exists()
        if (working / "checkpoint.pt").exists():
            state = load_checkpoint(working / "checkpoint.pt").training
            places.add((len(state["epochs"]), state["batch"]))
    assert kills >= 3 and len(places) >= 2, (kills, places)
    assert start(out).wait(120) == 0
    assert_same(weights(out), weights(tmp_path / "whole"))
    assert without_seconds(out / "metrics.jsonl") == without_seconds(tmp_path / "whole" / "metrics.jsonl")
    assert not working.exists()


def stopped(tmp_path, saves=2, **changes):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_after(patch, saves)
        train(config(**changes), tmp_path / "x", checkpoint_every=4)
    return tmp_path / "x.training"


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"lr": 0.004}, "lr 0.005, not 0.004"), ({"neuron": {"learn": "none"}}, "neuron.learn both, not none")],
)
def test_another_configuration_is_refused_by_name(tmp_path, changes, words):
    working = stopped(tmp_path)
    before = (working / "checkpoint.pt").read_bytes()
    with pytest.raises(UserError, match=words):
        train(config(**changes), tmp_path / "x", resume=True)
    assert (working / "checkpoint.pt").read_bytes() == before


def test_a_finished_training_is_not_repeated_nor_mistaken_for_another(tmp_path):
    metrics = train(config(), tmp_path / "x")
    # killed after the folder got its name and before the checkpoint was removed
    (tmp_path / "x.training").mkdir()
    (tmp_path / "x.training" / "checkpoint.pt").write_bytes(b"whatever")
    before = (tmp_path / "x" / "model.pt").stat().st_mtime_ns
    assert train(config(), tmp_path / "x", resume=True) == metrics
    assert (tmp_path / "x" / "model.pt").stat().st_mtime_ns == before
    assert not (tmp_path / "x.training").exists()
    with pytest.raises(UserError, match="epochs 2, not 3"):
        train(config(epochs=3), tmp_path / "x", resume=True)


def test_an_unfinished_training_is_neither_lost_nor_taken_unasked(tmp_path):
    working = stopped(tmp_path)
    with pytest.raises(UserError, match=r"unfinished training.*--resume"):
        train(config(), tmp_path / "x")
    assert (working / "checkpoint.pt").is_file()
    train(config(seed=1), tmp_path / "x", force=True)
    train(config(seed=1), tmp_path / "fresh")
    assert_same(weights(tmp_path / "x"), weights(tmp_path / "fresh"))


def test_a_half_written_temporary_is_no_checkpoint(tmp_path):
    working = stopped(tmp_path)
    whole = (working / "checkpoint.pt").read_bytes()
    train(config(), tmp_path / "fresh")
    for name, has_checkpoint in (("a", False), ("b", True)):
        other = tmp_path / f"{name}.training"
        other.mkdir()
        # as dalif_deploy.hw_models.files.atomic names them; newer than the checkpoint
        if has_checkpoint:
            (other / "checkpoint.pt").write_bytes(whole)
        (other / ".checkpoint.pt.k3j2h1.pt").write_bytes(whole[: len(whole) // 2])
        train(config(), tmp_path / name, resume=has_checkpoint)
        assert_same(weights(tmp_path / name), weights(tmp_path / "fresh"))
        assert not other.exists()


def test_a_damaged_checkpoint_is_refused(tmp_path):
    working = stopped(tmp_path)
    path = working / "checkpoint.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="truncated"):
        train(config(), tmp_path / "x", resume=True)
    path.write_bytes(whole)
    content = torch.load(path, weights_only=True)
    del content["training"]["optimizer"]
    torch.save(content, path)
    with pytest.raises(UserError, match="not a complete training state"):
        train(config(), tmp_path / "x", resume=True)
    # a finished model in its place
    train(config(), tmp_path / "y")
    shutil.copy(tmp_path / "y" / "model.pt", path)
    with pytest.raises(UserError, match="not a complete training state"):
        train(config(), tmp_path / "x", resume=True)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(tmp_path, monkeypatch, value):
    calls, loss_and_logits = [0], fit.loss_and_logits

    def poisoned(*arguments):
        calls[0] += 1
        loss, logits = loss_and_logits(*arguments)
        return loss * (float(value) if calls[0] == 15 else 1), logits

    monkeypatch.setattr(fit, "loss_and_logits", poisoned)
    with pytest.raises(UserError) as caught:
        train(config(), tmp_path / "x")
    checkpoint = tmp_path / "x.training" / "checkpoint.pt"
    assert f"the loss became {value} in epoch 2" in str(caught.value) and str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value) and not (tmp_path / "x").exists()
    loaded = load_checkpoint(checkpoint)  # refuses weights that are no numbers
    assert len(loaded.training["epochs"]) == 1 and loaded.training["batch"] == 0
    monkeypatch.undo()
    train(config(), tmp_path / "x", resume=True)
    train(config(), tmp_path / "fresh")
    assert_same(weights(tmp_path / "x"), weights(tmp_path / "fresh"))


@pytest.mark.parametrize("every", [None, 4])
def test_numbers_that_are_none_are_found_where_the_loss_is_blind_to_them(tmp_path, monkeypatch, every):
    calls, augment = [0], fit.augment

    def poisoned(x, *rest):
        calls[0] += 1
        return augment(x, *rest) + (float("nan") if calls[0] == 13 else 0)  # a neuron fed with NaN stays silent

    monkeypatch.setattr(fit, "augment", poisoned)
    with pytest.raises(UserError, match=r"linear\.weight is no number any more in epoch 2.*checkpoint\.pt"):
        train(config(), tmp_path / "x", checkpoint_every=every)
    assert calls[0] == (22 if every is None else 15)
    loaded = load_checkpoint(tmp_path / "x.training" / "checkpoint.pt")
    assert len(loaded.training["epochs"]) == 1
