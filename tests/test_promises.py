"""What an export proved is held against what is asked later, and data against the network that it is for."""

import json
import shutil
import warnings

import numpy as np
import pytest
import torch

import dalif_deploy as dd
from dalif_deploy.data.event_recording import compare_sensors
from dalif_deploy.hw_models.errors import FitWarning, UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from dalif_deploy.reports.energy_sentence import energy_sentence
from tests.commands_here import run_here

pytestmark = pytest.mark.timeout(300)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 17, (6, 1, 8, 8)).astype(np.float32) / 16


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("promises")
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[3], strides=[2], steps=4))
    save_checkpoint(folder / "model.pt", network, {"dataset": "digits", "input_step": 1 / 16, "input_highest": 1.0})
    return folder / "model.pt"


@pytest.fixture(scope="module")
def exported(model):
    return {
        name: dd.export(model, out=model.parent / name, chip=chip, target=target)
        for name, chip, target in (("bias", "loihi1", "lava"), ("graded", "loihi2", "lava"), ("float", None, "nir"))
    }


@pytest.fixture
def run_inside(capfd):
    return lambda command, *arguments: run_here([command, *arguments], capfd)


def test_more_steps_than_exported_is_an_error_with_its_remedy(exported, model, run_inside):
    for options in (("--steps", 60), ("--steps", 60, "--check"), ("--steps", 60, "--check", "all")):
        done = run_inside("simulate", model.parent / "bias", "--data", "digits:test", "--limit", 2, *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert "60 steps" in done.stderr and "exported for 4" in done.stderr and "--steps 60" in done.stderr
        assert done.stderr.count("\n") == 1
    moving = np.repeat(IMAGES[:, None], 5, axis=1)
    with pytest.raises(UserError, match=r"5 steps per sample.*exported for 4.*--steps 5"):
        dd.energy_report(exported["graded"], moving)
    with pytest.raises(UserError, match=r"5 steps per sample"):
        dd.check(exported["graded"], moving)
    # fewer are covered, as is the float graph, of which nothing was proved
    assert dd.simulate(exported["bias"], IMAGES, steps=2).samples == 6
    assert dd.simulate(exported["bias"], IMAGES, steps=60, engine="nir").samples == 6
    again = dd.export(model, out=model.parent / "longer", chip="loihi1", steps=60)
    assert dd.simulate(again, IMAGES, steps=60).samples == 6


def test_the_promises_are_stored(exported):
    stored = json.loads((exported["graded"].folder / "export.json").read_text())["promises"]
    assert stored == {
        "most_steps": 4,
        "inputs": {"input": {"mode": "graded", "lowest": 0.0, "highest": 1.0}},
        "readouts_never_fire": True,
    }


@pytest.mark.parametrize("name", ["network.nir", "model.nir", "model.pt"])
def test_a_file_that_was_changed_since_is_said_to_be_so(exported, tmp_path, run_inside, name):
    shutil.copytree(exported["bias"].folder, tmp_path / "out")
    with open(tmp_path / "out" / name, "r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    engine = {"network.nir": "fast", "model.nir": "nir", "model.pt": "torch"}[name]
    done = run_inside("simulate", tmp_path / "out", "--data", "digits:test", "--limit", 2, "--engine", engine)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert f"{name}: has changed since the export" in done.stderr and "export it again" in done.stderr


@pytest.mark.parametrize("name", ["bias", "graded", "float"])
def test_8_bit_images_into_a_network_for_0_to_1(exported, name):
    network, engine = exported[name], "nir" if name == "float" else "fast"
    bytes_ = np.round(IMAGES * 255)
    asked = [lambda: dd.simulate(network, bytes_, engine=engine), lambda: dd.check(network, bytes_)]
    if name != "float":
        asked.append(lambda: dd.energy_report(network, bytes_))
    for ask in asked:
        with pytest.raises(UserError, match=r"values 0 to 255, the network was made for 0 to 1; divide by 255"):
            ask()


def test_a_network_for_8_bit_images_takes_them_and_doubts_others(model):
    made = dd.export(model, out=model.parent / "bytes", chip="loihi1", input_range=(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dd.simulate(made, np.round(IMAGES * 255))
    with pytest.warns(FitWarning, match="reach from 0 to 1 only, the network was made for 0 to 255"):
        dd.simulate(made, IMAGES)


def test_values_a_little_beyond(exported, tmp_path, run_inside):
    """A host's bias has no bound beyond the range; messages are held within their levels, and it is said."""
    beyond = IMAGES * 1.25
    with pytest.raises(UserError, match=r"values 0 to 1.25.*--input-range 0,1.25"):
        dd.simulate(exported["bias"], beyond)
    np.savez(tmp_path / "beyond.npz", input=beyond)
    done = run_inside("simulate", exported["graded"].folder, "--data", tmp_path / "beyond.npz")
    assert done.returncode == 0 and done.stderr.startswith("warning: input: the data has values 0 to 1.25")
    assert done.stderr.count("\n") == 1
    with pytest.raises(UserError, match=r"values -1\.5"):
        dd.simulate(exported["graded"], beyond * -1.2)
    hot = np.repeat(IMAGES, 400, axis=0)
    hot[0, 0, 0, 0] = 9.0  # a camera's pixel, once in 2,400 frames
    with pytest.warns(FitWarning, match=r"values 0 to 9, .*of them lie beyond"):
        dd.simulate(exported["graded"], hot, steps=1)


@pytest.mark.parametrize(("shift", "seen"), [(1, "labels 1 to 10"), (-1, "labels -1 to 8"), (100, "labels 100 to 109")])
def test_labels_beyond_the_classes(exported, shift, seen):
    labels = np.arange(10) + shift
    images = np.repeat(IMAGES[:1], 10, axis=0)
    for ask in (dd.simulate, dd.check):
        with pytest.raises(UserError, match=f"{seen}, but the network has 10 classes, 0 to 9"):
            ask(exported["bias"], (images, labels))


def test_a_recording_of_another_sensor(tmp_path):
    with pytest.raises(UserError, match=r"sensor has 16 x 16 pixels, but the network takes 34 x 34"):
        compare_sensors(tmp_path, (16, 16), (34, 34), (16, 16))
    with pytest.warns(FitWarning, match=r"640 x 480 pixels, .* 32 x 32: its middle 480 x 480 is used, 15 p"):
        compare_sensors(tmp_path, (640, 480), (32, 32), (480, 480))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare_sensors(tmp_path, (34, 34), (34, 34), (34, 34))


@pytest.mark.parametrize("text", ["1", "1,0", "a,b", "0,inf", "nan,1"])
def test_a_range_that_is_none(model, tmp_path, run_inside, text):
    done = run_inside("export", model, "--target", "lava", "-o", tmp_path / "x", "--input-range", text)
    assert done.returncode == 2 and "--input-range" in done.stderr and "0,255" in done.stderr


def test_zero_is_a_number_not_a_default(model, tmp_path, run_inside):
    for option, says in (("--steps", "steps must be 1 or more, got 0"), ("--weight-bits", "0 weight bits")):
        done = run_inside("export", model, "--target", "lava", "-o", tmp_path / "out", option, 0)
        assert done.returncode == 2 and says in done.stderr and not (tmp_path / "out").exists()
    done = run_inside("inspect", model, "--dt", 0)
    assert done.returncode == 2 and "dt must be above 0" in done.stderr
    done = run_inside("export", model, "--target", "lava", "-o", tmp_path / "out", "--steps", 10**8)
    assert done.returncode == 2 and "at most 100,000 are taken; give fewer --steps" in done.stderr


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_calibration_data_fit_as_all_data_do(model, tmp_path, chip):
    with pytest.raises(UserError, match=r"values 0 to 255, the network was made for 0 to 1.*divide by 255"):
        dd.export(model, out=tmp_path / "out", chip=chip, calibrate=(IMAGES * 255).round())
    assert not (tmp_path / "out").exists()


def test_figures_of_a_network_in_which_nothing_fires_are_doubted(tmp_path, run_inside):
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[3], strides=[2], steps=4))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    save_checkpoint(tmp_path / "model.pt", network, {"dataset": "digits", "input_step": 1 / 16, "input_highest": 1.0})
    silent = dd.export(tmp_path / "model.pt", out=tmp_path / "silent", chip="loihi1")
    for command in ("simulate", "energy"):
        done = run_inside(command, silent.folder, "--data", "digits:test", "--limit", 2)
        assert done.returncode == 0 and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"warning: {silent.folder}: no neuron fired on these samples")
    assert "in which no neuron fired" in " ".join(done.stdout.split())


def test_figures_of_a_network_that_fires_are_not_doubted(exported):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        assert any(dd.simulate(exported["bias"], IMAGES).firing_rate.values())
        assert "no neuron fired" not in energy_sentence(dd.energy_report(exported["bias"], IMAGES))


def test_a_file_that_was_removed_since_is_said_to_be_so(exported, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(exported["bias"].folder, folder)
    for name, engine in (("model.pt", "torch"), ("model.nir", "nir")):
        (folder / name).unlink()
        with pytest.raises(UserError, match=rf"{name}: was removed since the export; export it again"):
            dd.simulate(dd.load(folder), IMAGES, engine=engine)


def test_options_for_a_network_in_your_own_code_are_not_ignored_of_a_file(model, tmp_path, run_inside):
    for options in (("--example", "digits:test"), ("--weights", "w.pt"), ("--time-axis", 1), ("--rewrite", "x=y")):
        done = run_inside("export", model, "--target", "nir", "-o", tmp_path / "out", *options)
        assert (done.returncode, done.stdout) == (2, "") and not (tmp_path / "out").exists()
        assert done.stderr.startswith(f"error: {options[0]}: for a network in your own code")
