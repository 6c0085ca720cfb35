"""`--check all`: every engine on the same samples, and what happens when one is wrong."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import dalif_deploy
from dalif_deploy.cli.simulate import with_check_kind
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.simulation import agreement
from dalif_deploy.simulation.comparison import Comparison, Mismatch
from dalif_deploy.simulation.engines import ENGINES, EngineRun, engine_options, make_engine
from dalif_deploy.simulation.engines.engine import option
from dalif_deploy.simulation.engines.fast_engine import FastOptions
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples
from tests import docs_pages
from tests.test_commands import checkpoint, run

SAMPLES = 130  # more than a chunk


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    return export_network(checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2]), "lava", folder / "out")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 17, (SAMPLES, 1, 8, 8)) / 16, rng.integers(0, 10, SAMPLES)


def agree(artefact, data, monkeypatch, **engines):
    """Without Lava and what else is slow to start."""
    monkeypatch.setattr(agreement, "ENGINES", engines)
    return simulate_samples(artefact, *data, SimulationRequest(check="all")).to_dict()


def test_float_engines_agree_and_the_integers_are_near(artefact, data, monkeypatch):
    names = ("torch", "nir", "norse", "fast")
    found = agree(artefact, data, monkeypatch, **{name: ENGINES[name] for name in names})
    rows = found["engines"]
    assert list(rows) == list(names) and not found["not_run"] and found["bit_exact"] is None
    for name in ("torch", "norse"):
        assert sum(rows[name]["mismatches"].values()) == 0
        assert sum(rows[name]["compared"].values()) == SAMPLES * 4 * (4 * 64 + 6 * 16)
    # quantised: near, and not the same
    assert 0.9 < rows["fast"]["float_agreement"]["block1"] < 1
    assert rows["nir"]["float_agreement"] == {"block1": 1, "block2": 1}
    assert rows["torch"]["accuracy"] == rows["nir"]["accuracy"]


def test_one_flipped_bit_of_an_integer_engine_is_found(artefact, data, monkeypatch):
    class Wrong(ENGINES["fast"]):
        name = "wrong"

        def run(self, samples, record):
            run = super().run(samples, record)
            if samples.stop == SAMPLES:
                run.membrane["block2"][-1, -1, 0, 0, 0] ^= 1
            return run

    monkeypatch.setitem(ENGINES, "wrong", Wrong)
    found = agree(artefact, data, monkeypatch, fast=ENGINES["fast"], wrong=Wrong)
    assert found["bit_exact"] is False
    wrong = found["engines"]["wrong"]["mismatches"]
    assert {key for key, count in wrong.items() if count} == {"block2.membrane"} and sum(wrong.values()) == 1
    first = found["engines"]["wrong"]["first"]
    assert first.startswith(f"sample {SAMPLES - 1}, layer block2, step 3, neuron (0, 0, 0): membrane ")
    assert first.endswith(" in fast") and " in wrong, " in first and "first" not in found["engines"]["fast"]


def test_command_runs_all_engines_and_names_those_it_can_not(tmp_path):
    source = checkpoint(tmp_path / "model.pt")
    out = export_network(source, "nir", tmp_path / "nir").folder
    result = run(
        "simulate", out, "--data", "digits:test", "--limit", 5, "--check", "all", "--json", tmp_path / "all.json"
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "all.json").read_text())
    assert {"torch", "nir", "norse"} <= figures["engines"].keys()
    assert "export with --target lava" in figures["not_run"]["fast"]
    assert "fast not run" in result.stdout


def test_a_check_without_a_second_engine_is_none(artefact, data, monkeypatch, capfd):
    monkeypatch.setattr(agreement, "ENGINES", {"fast": ENGINES["fast"], "nir": ENGINES["nir"]})
    command = ["dalif-simulate", str(artefact.folder), "--data", "digits:test", "--limit", "3", "--check", "all"]
    code, printed = docs_pages.run(command, capfd)
    assert code == 1
    assert "agree to the bit: not checked" in printed and "error: " in printed and "nothing was checked" in printed
    again = {name: type(name, (ENGINES["fast"],), {"name": name}) for name in ("one", "other")}
    for name, engine in again.items():
        monkeypatch.setitem(ENGINES, name, engine)
    monkeypatch.setattr(agreement, "ENGINES", again)  # two, but not the one that they are held against
    assert docs_pages.run(command, capfd)[0] == 1
    monkeypatch.setattr(agreement, "ENGINES", {"fast": ENGINES["fast"], **again})
    assert docs_pages.run(command, capfd)[0] == 0


def test_predicted_classes_come_with_labels_too(artefact, data):
    images, labels = data
    found = dalif_deploy.simulate(artefact, (images, labels), limit=20)
    without = dalif_deploy.simulate(artefact, images, limit=20)
    assert found.predicted == without.predicted and len(found.predicted) == 20
    assert found.accuracy == np.mean(found.predicted == labels[:20]) and without.accuracy is None


def test_an_option_goes_to_the_engine_that_declares_it(artefact, data):
    @dataclass(frozen=True)
    class Told(FastOptions):
        level: int = option(3, "anything")

    class Listening(ENGINES["fast"]):
        name, options_type = "listening", Told

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(ENGINES, "listening", Listening)
        assert engine_options()["level"] == (3, "listening: anything")
        told = {"level": 7, "workers": 2}
        assert make_engine("listening", artefact, data[0], options=told).options == Told(level=7)
        assert make_engine("listening", artefact, data[0]).options == Told()
        assert make_engine("fast", artefact, data[0], options=told).options == FastOptions()
        simulate_samples(artefact, data[0][:2], None, SimulationRequest(options=told))
    with pytest.raises(UserError, match=r"unknown engine option 'level'.*workers"):
        simulate_samples(artefact, data[0][:2], None, SimulationRequest(options=told))


def test_the_first_mismatch_is_the_earliest_by_sample_then_step():
    one, two = (EngineRun({}, {"a": np.zeros((3, 4, 2), np.uint8), "b": np.zeros((3, 4, 5), np.uint8)}) for _ in "ab")
    two.spikes["a"][2, 0, 1] = two.spikes["b"][1, 3, 4] = two.spikes["b"][1, 3, 2] = 1
    found = Comparison(("fast", "lava"), ("spikes",))
    found.add(10, one, two)
    assert found.first == Mismatch(11, 3, "spikes", "b", (2,), (0, 1), ("fast", "lava"))
    assert str(found.first) == "sample 11, layer b, step 3, neuron (2,): spikes 0 in fast, 1 in lava"
    assert found.mismatches == {"a.spikes": 1, "b.spikes": 2} and found.total_mismatches == 3
    two.spikes["a"][0, 0, 0] = 1
    found.add(13, one, two)
    assert found.first.sample == 11  # the one before


def test_check_may_stand_alone():
    assert with_check_kind(["d", "--check", "--limit", "3"]) == ["d", "--check", "counterpart", "--limit", "3"]
    assert with_check_kind(["d", "--check", "all"]) == ["d", "--check", "all"]
    assert with_check_kind(["d", "--check"]) == ["d", "--check", "counterpart"]
