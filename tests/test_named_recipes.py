"""Recipes by name: whole, each value with its source, run for a few steps; the trained networks of the package."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import dalif_deploy
from benchmarks.model_card import PAGE, SHORT, page, with_short_table
from dalif_deploy.cli.train import merged_config
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.evaluation import evaluate
from dalif_deploy.training.recipe import read_recipe, recipe_names
from dalif_deploy.zoo import model_card, zoo_file, zoo_names
from tests.cifar_files import write_cifar10, write_cifar100

EVERY = {"dataset", "arch", "steps", "epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "loss",
         "label_smoothing", "shift", "flip", "crop_padding", "cutout", "precision", "seed"}  # fmt: skip
NEURON = {"v_threshold", "activation", "learn", "alpha_init", "beta_init", "reset", "surrogate", "width"}


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_says_every_value_and_where_it_comes_from(name):
    recipe = read_recipe(name)
    config = merged_config({}, {}, None, None, name)
    assert config == TrainConfig(**recipe.fields) and config.recipe == name
    stated = set(recipe.fields) - {"neuron", "recipe"}
    assert stated >= EVERY and set(recipe.fields["neuron"]) == NEURON
    assert stated >= ({"channels", "strides"} if config.arch in ("cnn", "resnet") else {"width"})
    assert ("momentum" in stated) == (config.optimizer == "sgd")
    assert set(recipe.sources) == stated | {f"neuron.{key}" for key in NEURON} and all(recipe.sources.values())
    assert recipe.ran in ("to the end", "not run to the end here") and bool(recipe.works) == bool(recipe.differs)


def test_options_go_before_a_recipe_and_an_unknown_one_is_named():
    config = merged_config({"epochs": 3}, {"learn": "none"}, None, None, "digits")
    assert (config.epochs, config.neuron.learn, config.lr, config.recipe) == (3, "none", 5e-3, "digits")
    with pytest.raises(UserError, match="unknown recipe 'nothing'; choose one of cifar10, digits"):
        merged_config({}, {}, None, None, "nothing")


def test_the_list_names_recipes_and_trained_networks(monkeypatch, capsys):
    from dalif_deploy.cli.train import main

    monkeypatch.setattr(sys, "argv", ["dalif-train", "--list"])
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    assert ended.value.code in (0, None)
    assert all(name in said for name in recipe_names()) and "zoo:digits" in said


def few_steps(name, root, out, **changes):
    """The recipe's own training on little data: one epoch of a narrow network, in the precision that a CPU has."""
    config = merged_config({"epochs": 1, "batch_size": 2, "precision": "32", **changes}, {}, None, None, name)
    metrics = train(config, out, data_root=str(root))
    assert np.isfinite(metrics["epochs"][0]["loss"])
    return load_checkpoint(out / "model.pt")


@pytest.mark.parametrize(("name", "write"), [("resnet19-cifar10", write_cifar10), ("resnet19-cifar100", write_cifar100),
                                             ("cifar10", write_cifar10)])  # fmt: skip
def test_recipes_of_cifar_run_from_files_in_the_true_format(tmp_path, name, write):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        write(tmp_path / "root", rng.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8), np.arange(10), split)
    changes = {"channels": [4, 4, 4], "warmup_epochs": 0.0} if name == "cifar10" else {"width": 1 / 32}
    assert few_steps(name, tmp_path / "root", tmp_path / "out", **changes).network.steps == 2


def test_the_recipe_of_fashion_mnist_runs_in_mixed_precision(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("t10k", 4)):
        for kind, array in (("images-idx3", rng.integers(0, 256, (count, 28, 28))), ("labels-idx1", np.arange(count))):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            (tmp_path / f"{split}-{kind}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())
    changes = {"channels": [4] * 5, "warmup_epochs": 0.0, "precision": "bf16-mixed"}
    few_steps("fashion-mnist", tmp_path, tmp_path / "out", **changes)


def test_the_recipe_of_imagenet_runs_from_files_in_the_true_format(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ("train", "val"):
        for number in range(4):
            path = tmp_path / folder / f"n0{number // 2}" / f"{number}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (260, 300, 3), dtype=np.uint8)).save(path)
    few_steps("sew-resnet34-imagenet", tmp_path, tmp_path / "out", width=1 / 32)


def gestures(folder, users, rng):
    """As tonic lays DVS128 Gesture out."""
    for user in users:
        for label in range(11):
            path = folder / f"user{user:02}_fluorescent" / f"{label}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = rng.integers(0, 128, 20), rng.integers(0, 128, 20), rng.integers(0, 2, 20)
            np.save(path, np.stack([*columns, np.sort(rng.integers(0, 800, 20))], axis=1).astype(np.float64))
    folder.with_name(f"{folder.name}.tar.gz").touch()


@pytest.mark.slow
def test_the_recipe_of_gestures_runs_from_files_in_the_true_format(tmp_path, monkeypatch):
    pytest.importorskip("tonic")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    gestures(tmp_path / "DVSGesture" / "ibmGestureTrain", range(1, 11), rng)
    gestures(tmp_path / "DVSGesture" / "ibmGestureTest", range(24, 34), rng)
    few_steps("vggsnn-dvs128-gesture", tmp_path, tmp_path / "out", width=1 / 64, batch_size=55, steps=4)


@pytest.mark.slow
def test_the_recipe_of_cifar10_dvs_runs_from_files_in_the_true_format(tmp_path, monkeypatch):
    pytest.importorskip("tonic")
    pytest.importorskip("faery")
    from tests.test_event_sets import cifar10_dvs

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cifar10_dvs(tmp_path / "root", np.random.default_rng(0))
    few_steps("vggsnn-cifar10-dvs", tmp_path / "root", tmp_path / "out", width=1 / 64, batch_size=128)


@pytest.mark.parametrize("name", zoo_names())
def test_a_trained_network_is_what_its_card_says(name):
    card, checkpoint = model_card(name), load_checkpoint(zoo_file(f"zoo:{name}"))
    assert card["recipe"] == name and checkpoint.info["config"] == card["config"]
    assert TrainConfig(**card["config"]) == merged_config({}, {}, None, None, name)
    assert read_recipe(name).ran == "to the end" and len(card["curve"]) == card["config"]["epochs"]
    assert card["parameters"] == sum(p.numel() for p in checkpoint.network.parameters())
    assert checkpoint.info["test_accuracy"] == card["test_accuracy"] == card["curve"][-1]["test_accuracy"]
    assert all(chip["check"]["bit_exact"] for chip in card["chips"])
    assert zoo_file(f"zoo:{name}").stat().st_size < 4 << 20


def test_the_network_of_digits_is_as_good_as_its_card(tmp_path):
    card, testing = model_card("digits"), load_data("digits:test")
    with torch.no_grad():
        assert evaluate(load_checkpoint(zoo_file("zoo:digits")).network, testing) == card["test_accuracy"]
    chip = card["chips"][0]
    net = dalif_deploy.export("zoo:digits", out=tmp_path / "chip", chip=chip["chip"], weight_bits=chip["weight_bits"])
    assert dalif_deploy.simulate(net, "digits:test").accuracy == chip["accuracy"]


def test_an_unknown_trained_network_is_named(tmp_path):
    with pytest.raises(UserError, match="unknown trained network 'nothing'; choose one of digits"):
        dalif_deploy.export("zoo:nothing", out=tmp_path / "chip")


def test_the_command_exports_a_trained_network(tmp_path, monkeypatch):
    from dalif_deploy.cli.export import main

    words = [
        "dalif-export",
        "zoo:digits",
        "--target",
        "nir",
        "--out",
        str(tmp_path / "x"),
        "--json",
        str(tmp_path / "j"),
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert json.loads((tmp_path / "j").read_text())["steps"] == 4


def test_the_pages_with_networks_are_what_the_cards_say():
    for path in SHORT:
        text = path.read_text(encoding="utf-8")
        assert text == with_short_table(path), "run benchmarks/model_card.py"
        for name in zoo_names():
            assert f"| `zoo:{name}` |" in text and f"{100 * model_card(name)['test_accuracy']:.2f} %" in text
    assert PAGE.read_text(encoding="utf-8") == page()
