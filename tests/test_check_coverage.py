"""What a check says it exercised, against counts made by hand and by the slow chip; a check of nothing fails."""

import json

import numpy as np
import pytest

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.hw_models.arithmetic.observation import Observation, arithmetic_paths
from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.simulation.coverage import Coverage, LayerCoverage
from tests import docs_pages
from tests.chip_networks import chip, population, random_network
from tests.test_commands import checkpoint


def observed(network, messages, **options):
    seen = Observation.empty(network)
    encoded = EncodedInput(messages.shape[1], len(messages), {"input": messages.astype(np.int32)})
    return simulate(network, encoded, observation=seen, **options), seen


def one_neuron(levels, *, weight=1, high=1 << 20, delay=0, exp=0, **registers):
    """One neuron that gets `levels` * weight * 64, a level a step."""
    network = chip(
        [ChipInput("input", (1,), "graded", 1.0, -high, high)],
        [population("p", (1,), **registers)],
        [Projection("w", "input", "p", np.array([[weight]]), exp, delay=delay)],
        steps=len(levels),
    )
    _, seen = observed(network, np.array(levels).reshape(1, -1, 1))
    return network, seen, seen.populations["p"]


@pytest.mark.parametrize("seed", range(8))
def test_looking_changes_no_bit_and_counts_what_the_records_show(seed):
    network, encoded = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
    plain, seen = simulate(network, encoded), Observation.empty(network)
    looked = simulate(network, encoded, observation=seen, batch_size=2)
    for name, counts in seen.populations.items():
        np.testing.assert_array_equal(looked.membrane[name], plain.membrane[name])
        np.testing.assert_array_equal(looked.spikes[name], plain.spikes[name])
        assert counts.spikes == plain.spikes[name].sum()
        assert counts.updates == plain.membrane[name].size
        assert counts.nonzero == np.count_nonzero(plain.membrane[name])
        assert counts.negative == (plain.membrane[name] < 0).sum()
        np.testing.assert_array_equal(counts.fired, plain.spikes[name].any(axis=(0, 1)))


def test_membranes_near_the_threshold_are_told_apart():
    # the bias moves the membrane in single units: 64 * 3 is the threshold
    for mant, found in ((191, (1, 0, 0)), (192, (0, 1, 0)), (193, (0, 0, 1)), (190, (0, 0, 0))):
        counts = one_neuron([0], vth=3, dv=0, mant=mant)[2]
        assert (counts.just_below, counts.met_threshold, counts.just_above) == found
        assert counts.spikes == (mant == 193) and counts.biased == 1


def test_decays_and_truncations_of_both_signs():
    counts = one_neuron([1, 0, 0], dv=1000, vth=1000)[2]  # 64 -> 48.375 -> 36.28
    assert (counts.membrane_decays, counts.membrane_truncations, counts.negative_truncations) == (2, 2, 0)
    counts = one_neuron([-1, 0, 0], dv=1000, vth=1000)[2]
    assert (counts.membrane_truncations, counts.negative_truncations, counts.negative) == (2, 2, 3)
    network, seen, counts = one_neuron([0, 0, 1], du=1000, dv=0, vth=1000)  # u is set in the last step only
    assert counts.current_decays == 0 and arithmetic_paths(network, seen, "p")["current decay"] == 0
    network, seen, counts = one_neuron([1, 0, 0], du=1000, dv=0, vth=1000)
    assert arithmetic_paths(network, seen, "p")["current decay"] == counts.current_decays == 2


def test_clips_wraps_and_delays():
    # 8,320,000 a step; the register holds 8,388,607, which is above the highest threshold, so that it is reset
    counts = one_neuron([130_000] * 3, dv=0, vth=131071, fires=False)[2]
    assert (counts.high_clips, counts.low_clips, counts.wraps) == (1, 0, 0)
    assert one_neuron([-130_000] * 3, dv=0, vth=131071)[2].low_clips == 2
    assert one_neuron([131_072, 131_073], dv=4095, vth=131071)[2].wraps == 1  # 2^23 itself stays, Lava's own test
    assert one_neuron([1 << 19], weight=128, dv=4095, exp=7, vth=131071)[2].wraps > 0
    network, seen, _ = one_neuron([0, 1, 1], delay=1)
    assert arithmetic_paths(network, seen, "p")["delay of 1 on w"] == 1  # the last one comes too late


def test_a_static_input_counts_at_each_step():
    network = chip([ChipInput("input", (2,), "spikes")], [population("p", (1,))], [Projection("w", "input", "p", np.ones((1, 2)))])  # noqa: E501 # fmt: skip
    encoded = EncodedInput(network.steps, 3, {"input": np.ones((3, 1, 2), dtype=np.int32)})
    seen = Observation.empty(network)
    simulate(network, encoded, observation=seen)
    assert seen.carried == {"w": 3 * network.steps * 2}


def test_paths_that_never_ran_are_named():
    layers = {
        "a": LayerCoverage(4, 4, 100, 50, {"spike": 9, "current decay": 0}),
        "b": LayerCoverage(4, 0, 100, 50, {"spike": 0, "bias": 0}),
        "out": LayerCoverage(2, None, 100, 0, {}),
    }
    coverage = Coverage(layers)
    assert coverage.not_exercised() == [
        "layer b never fired",
        "layer a: never ran: current decay",
        "layer b: never ran: bias",
    ]
    assert coverage.proves_nothing is None
    assert "no neuron fired" in Coverage({"b": layers["b"], "out": layers["out"]}).proves_nothing
    assert "0" in Coverage({"out": layers["out"]}).proves_nothing
    assert Coverage({"out": LayerCoverage(2, None, 100, 7)}).proves_nothing is None  # a readout alone


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coverage")
    return export_network(checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2]), "lava", folder / "out")


@pytest.mark.parametrize("check", [["--check", "all"], ["--check", "--engine", "torch"]])
def test_a_check_says_what_it_exercised(artefact, tmp_path, capfd, check):
    command = ["dalif-simulate", str(artefact.folder), "--data", "digits:test", "--limit", "4", *check]
    code, printed = docs_pages.run([*command, "--json", str(tmp_path / "f.json")], capfd)
    assert code == 0, printed
    assert "neurons fired; least, " in printed and "exercised: " in printed
    coverage = json.loads((tmp_path / "f.json").read_text())["coverage"]
    assert 0 < coverage["layers"]["block1"]["fired"] <= 256 and coverage["layers"]["block1"]["nonzero"] > 0
    silent = {name for name, layer in coverage["layers"].items() if layer["fired"] == 0}
    assert {line.split()[1] for line in coverage["not_exercised"] if "never fired" in line} == silent
    code, printed = docs_pages.run([*command, "--details"], capfd)
    assert code == 0 and "what the check exercised" in printed and "near threshold" in printed
    if "all" in check:
        assert coverage["layers"]["block1"]["counts"]["spikes"] > 0


@pytest.mark.parametrize("check", [["--check", "all"], ["--check", "--engine", "torch"]])
def test_a_check_in_which_nothing_fired_fails(artefact, tmp_path, capfd, check):
    """Black images into a network without biases: every layer is silent, and every engine agrees on that."""
    np.savez(tmp_path / "black.npz", input=np.zeros((3, 1, 8, 8)))
    code, printed = docs_pages.run(
        ["dalif-simulate", str(artefact.folder), "--data", str(tmp_path / "black.npz"), *check], capfd
    )
    assert code == 1
    assert "layer block1 never fired" in printed and "the check proves nothing" in printed and "--stress" in printed


@pytest.mark.parametrize("check", [["--check", "all"], ["--check", "--engine", "onnx"]])
def test_stress_reaches_what_black_images_do_not(artefact, tmp_path, capfd, check, monkeypatch):
    folder = artefact.folder
    if "onnx" in check:
        folder = export_network(folder / "model.pt", "onnx", tmp_path / "onnx").folder
    np.savez(tmp_path / "black.npz", input=np.zeros((3, 1, 8, 8)))
    command = ["dalif-simulate", str(folder), "--data", str(tmp_path / "black.npz"), *check, "--stress", "96"]
    code, printed = docs_pages.run([*command, "--json", str(tmp_path / "f.json")], capfd)
    assert code == 0, printed
    figures = json.loads((tmp_path / "f.json").read_text())
    can_fire = {layer["layer"]: layer["can_fire"] for layer in artefact.export["layers"] if layer["can_fire"]}
    assert can_fire
    for name, neurons in can_fire.items():
        assert figures["coverage"]["layers"][name]["fired"] >= 0.99 * neurons
    if "all" in check:
        assert figures["stress_samples"] == 96 and figures["samples"] == 3


def test_stress_without_a_check_is_refused(artefact, capfd):
    command = ["dalif-simulate", str(artefact.folder), "--data", "digits:test", "--limit", "2", "--stress", "4"]
    code, printed = docs_pages.run(command, capfd)
    assert code == 2 and "--check" in printed
