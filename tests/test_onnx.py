"""The ONNX models in onnxruntime: float against trained network and float reference, integers against the chip."""

import json
import re
import sys
from pathlib import Path

import nir
import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.onnx import model_file
from dalif_deploy.converters.onnx.chip_model import chip_inputs, chip_model
from dalif_deploy.converters.onnx.float_models import sequence_model, step_model
from dalif_deploy.converters.onnx.model_file import OnnxSession, write_model
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.flat_graph import flatten_graph
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.simulation.engines import make_engine
from dalif_deploy.simulation.session import SimulationRequest, run_simulation
from dalif_deploy.training import TrainConfig, train
from tests import scalar_chip
from tests.chip_networks import chip, population, random_network
from tests.lava_networks import NETWORKS
from tests.nir_networks import DT, chain, lif
from tests.random_chip_networks import chip_cases
from tests.random_graphs import graph_cases

STEPS = 5
FORMS = ("step", "sequence", "chip")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small network, trained on digits for a moment: all its layers spike."""
    out = tmp_path_factory.mktemp("trained") / "run"
    small = {"channels": [6, 8], "strides": [1, 2], "epochs": 2, "batch_size": 64, "lr": 0.02, "neuron": {}}
    train(TrainConfig(dataset="digits", **small), out)
    return out / "model.pt"


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return export_network(trained, "onnx", tmp_path_factory.mktemp("onnx") / "out")


def session(model, folder):
    write_model(folder / "model.onnx", model)
    return OnnxSession(folder / "model.onnx", threads=1)


def stepped(step, inputs, steps):
    """[N, T, ...] of every output, by a loop over the single-step model that begins as its metadata says."""
    samples = len(next(iter(inputs.values())))
    states = [name for name in step.inputs if f"{name}_next" in step.outputs]
    state = {}
    for name in states:
        start = np.array(json.loads(step.metadata.get(f"initial.{name}", "0")), np.float32)
        state[name] = np.broadcast_to(start, (samples, *step.inputs[name].shape[1:]))
    seen = {name: [] for name in step.outputs}
    for t in range(steps):
        given = {name: x[:, min(t, x.shape[1] - 1)] for name, x in inputs.items()}
        found = step.run({**given, **state})
        state = {name: found[f"{name}_next"] for name in states}
        for name, value in found.items():
            seen[name].append(value)
    return {name: np.stack(values, 1) for name, values in seen.items()}


@torch.no_grad()
def test_float_sequence_fires_as_the_trained_network_on_real_images(trained, exported):
    images = load_data("digits:test").inputs
    network = load_checkpoint(trained).network.float().eval()
    logits, recorded = network.forward_recorded(torch.from_numpy(images).float())
    run = make_engine("onnx-float", exported, images).run(slice(None), ("spikes", "membrane"))
    assert run.spikes.keys() == recorded.keys() == run.membrane.keys()
    different = compared = 0
    for name, layer in recorded.items():
        expected = layer["spikes"].transpose(0, 1).numpy()
        assert 0.01 < expected.mean() < 0.9
        different += int((run.spikes[name] != expected).sum())
        compared += expected.size
    # float32 sums in another order: a membrane within rounding of its threshold may fall either way
    assert compared == 360 * 4 * (6 * 64 + 8 * 16) and different <= compared // 100_000
    if not different:
        np.testing.assert_allclose(run.outputs["output"], logits.numpy(), atol=1e-4)


def test_float_step_in_a_loop_is_the_sequence(exported):
    images = load_data("digits:test").inputs[:20, None].astype(np.float32)
    sequence, step = (OnnxSession(exported.folder / f"{form}.onnx", threads=1) for form in ("sequence", "step"))
    whole, looped = sequence.run({"input": images}), stepped(step, {"input": images}, exported.steps)
    for name in ("block1", "block2"):
        np.testing.assert_array_equal(looped[f"{name}.spikes"], whole[f"{name}.spikes"])
        np.testing.assert_allclose(looped[f"{name}.membrane_next"], whole[f"{name}.membrane"], atol=1e-5)
    np.testing.assert_allclose(looped["output"].mean(axis=1), whole["output"], atol=1e-5)


def test_random_graphs_give_the_reference_spikes(tmp_path):
    """Every node type, loops, delays, nested graphs: the sequence against the reference, the step against both."""
    tally = {"spikes": 0, "different": 0, "states": set()}

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(graph_cases(steps=STEPS, samples=3))
    def check(case):
        dt, flat = case.options["dt"], flatten_graph(case.graph)
        inputs = {}
        for name in flat.inputs:
            array = case.data[name].astype(np.float32)
            inputs[name] = array if array.ndim == len(flat.shapes[name]) + 2 else array[:, None]
        expected = run_reference(flat, case.data, dt=dt, steps=STEPS, dtype=torch.float32)
        whole = session(sequence_model(flat, dt, STEPS, {}), tmp_path).run(inputs)
        step = session(step_model(flat, dt, {}), tmp_path)
        looped = stepped(step, inputs, STEPS)
        tally["states"] |= {name.rpartition(".")[2] for name in step.inputs}
        different = 0
        for name, spikes in expected.spikes.items():
            for found in (whole, looped):
                different += int((found[f"{name}.spikes"] != spikes).sum())
            tally["spikes"] += 2 * spikes.size
        tally["different"] += different
        if different:  # what follows differs with reason
            return
        for name, membrane in expected.membrane.items():
            near = {"rtol": 1e-3, "atol": 1e-5 * (1 + np.abs(membrane).max()), "err_msg": name}
            np.testing.assert_allclose(whole[f"{name}.membrane"], membrane, **near)
            if f"{name}.membrane_next" in looped:
                np.testing.assert_allclose(looped[f"{name}.membrane_next"], membrane, **near)
        for name, value in expected.outputs.items():
            near = {"rtol": 1e-3, "atol": 1e-5 * (1 + np.abs(value).max()), "err_msg": name}
            np.testing.assert_allclose(looped[name], value, **near)
            np.testing.assert_allclose(whole[name], value.mean(axis=1), **near)

    check()
    assert tally["spikes"] > 20_000 and tally["different"] <= tally["spikes"] // 10_000
    assert tally["states"] >= {"membrane", "current", "past1", "last"}


def assert_the_chip_s_bits(network, encoded, folder, spikes, membrane):
    network.steps = encoded.steps
    found = session(chip_model(network, biased=encoded.bias), folder).run(chip_inputs(encoded))
    for name in network.populations:
        np.testing.assert_array_equal(found[f"{name}.spikes"], spikes[name], err_msg=name)
        np.testing.assert_array_equal(found[f"{name}.membrane"], membrane[name], err_msg=name)
    for name, output in network.outputs.items():
        each = (spikes if output.mode == "count" else membrane)[output.population].astype(np.int64)
        if output.mode == "membrane_before_reset":
            each = each + spikes[output.population] * (network.populations[output.population].vth.astype(np.int64) << 6)
        expected = {"sum": each.sum(1), "max": each.max(1), "last": each[:, -1]}[output.kept]
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize("seed", range(6))
def test_integers_are_those_of_a_chip_computed_neuron_by_neuron(seed, tmp_path):
    network, encoded = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
    network.populations["second"].reset = ("zero", "subtract")[seed // 2 % 2]
    assert_the_chip_s_bits(network, encoded, tmp_path, *scalar_chip.run(network, encoded))


@pytest.mark.parametrize("name", NETWORKS)
def test_integers_of_hand_made_networks(name, tmp_path):
    network, encoded = NETWORKS[name]()
    run = simulate(network, encoded)
    assert any(spikes.any() for spikes in run.spikes.values())
    assert_the_chip_s_bits(network, encoded, tmp_path, run.spikes, run.membrane)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(chip_cases(steps=STEPS, samples=3))
def test_integers_at_the_limits_of_all_registers(tmp_path_factory, case):
    run = simulate(case.network, case.encoded)
    folder = tmp_path_factory.getbasetemp()
    assert_the_chip_s_bits(case.network, case.encoded, folder, run.spikes, run.membrane)


def test_chip_model_knows_integers_only(exported):
    model = onnx.shape_inference.infer_shapes(onnx.load(exported.folder / "chip.onnx"), strict_mode=True)
    kinds = {item.type.tensor_type.elem_type for item in [*model.graph.value_info, *model.graph.output]}
    kinds |= {tensor.data_type for tensor in model.graph.initializer}
    names = {onnx.TensorProto.DataType.Name(kind) for kind in kinds}
    assert names <= {"BOOL", "UINT8", "INT32", "INT64"}, names
    assert {node.op_type for node in model.graph.node} >= {"ConvInteger", "MatMulInteger"}


@pytest.mark.parametrize("chip_name", ["loihi1", "loihi2"])
def test_engine_gives_the_simulator_s_bits_on_real_images(trained, tmp_path, chip_name):
    request = ExportRequest(chip=chip_name, weight_bits=6)
    artefact = export_network(trained, "onnx", tmp_path / "out", request=request)
    assert artefact.export["input"] == ("bias" if chip_name == "loihi1" else "graded")
    wanted = SimulationRequest(engine="onnx", check="counterpart", limit=150)
    _, found = run_simulation(load_artefact(tmp_path / "out"), "digits:test", wanted)
    assert found.check.engines == ("onnx", "fast") and found.check.total_mismatches == 0
    assert sum(found.check.compared.values()) == 150 * 4 * 2 * (6 * 64 + 8 * 16 + 10)
    assert found.accuracy > 0.5


def test_the_examples_of_the_documentation_run(exported, monkeypatch):
    text = (Path(__file__).parents[1] / "docs" / "onnx.md").read_text(encoding="utf-8")
    monkeypatch.chdir(exported.folder.parent)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    np.testing.assert_allclose(names["logits"], names["same"], atol=1e-5)
    fast = make_engine("fast", exported, names["images"]).run(slice(None), ("spikes",))
    np.testing.assert_array_equal(names["fired"], fast.spikes["block1"])
    np.testing.assert_allclose(names["quantised"], fast.outputs["output"], rtol=1e-12)


def test_metadata_says_what_the_network_is(trained, exported):
    import hashlib

    network = load_checkpoint(trained).network
    for form in FORMS:
        model = onnx.load(exported.folder / f"{form}.onnx")
        onnx.checker.check_model(model, full_check=True)
        told = {item.key: item.value for item in model.metadata_props}
        assert told["form"] == form and json.loads(told["steps"]) == 4 and json.loads(told["dt"]) == exported.dt
        assert told["source.sha256"] == hashlib.sha256(trained.read_bytes()).hexdigest()
        ours = exported.export["provenance"]["versions"]["dalif-deploy"]
        assert told["dalif-deploy"] == ours == model.producer_version
        for name, layer in network.layers.items():
            neuron = layer.neuron
            values = {"alpha": neuron.alpha.item(), "beta": neuron.beta.item(), "threshold": neuron.v_threshold}
            for key, value in values.items():
                assert json.loads(told[f"{name}.{key}"]) == pytest.approx(value, abs=1e-6)


def test_a_reset_value_is_where_the_membrane_begins(tmp_path):
    node = lif((2, 3), beta=0.5)
    node.v_reset = np.array([[-0.25] * 3, [0.5] * 3])
    shape = np.array([2, 3])
    pairs = ("x", nir.Input({"input": shape})), ("n", node), ("y", nir.Output({"output": shape}))
    step = session(step_model(flatten_graph(chain(*pairs)), DT, {}), tmp_path)
    assert json.loads(step.metadata["initial.n.membrane"]) == [[-0.25], [0.5]]
    found = stepped(step, {"x": np.zeros((1, 1, 2, 3), np.float32)}, 1)
    np.testing.assert_allclose(found["n.membrane_next"][0, 0, :, 0], [-0.125, 0.25])


def test_weights_beyond_one_file_lie_beside_it(tmp_path, monkeypatch):
    network, encoded = NETWORKS["conv"]()
    inside = session(chip_model(network), tmp_path).run(chip_inputs(encoded))
    monkeypatch.setattr(model_file, "LARGEST_INSIDE", 0)
    (tmp_path / "large").mkdir()
    outside = session(chip_model(network), tmp_path / "large").run(chip_inputs(encoded))
    assert (tmp_path / "large" / "model.onnx.data").stat().st_size > 0
    for name, values in inside.items():
        np.testing.assert_array_equal(outside[name], values)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line(package, trained, exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"^needs {package} .*; pip install 'dalif-deploy\[onnx\]'$"):
        if package == "onnx":
            export_network(trained, "onnx", tmp_path / "out")
        make_engine("onnx", exported, np.zeros((1, 1, 8, 8)))


def test_what_can_not_be_said_is_refused_by_name(trained, exported, tmp_path):
    neuron = population("p", (2,))
    loop = Projection("loop", "p", "p", np.ones((2, 2), int))
    with pytest.raises(UserError, match="no input"):
        chip_model(chip([], [neuron], []))
    spikes = ChipInput("x", (2,), "spikes")
    with pytest.raises(UserError, match="loop without delay among p"):
        chip_model(chip([spikes], [neuron], [loop, Projection("in", "x", "p", np.ones((2, 2), int))]))
    huge = [ChipInput("x", (1 << 12,), "graded", 1.0, 0, 1 << 40)]
    with pytest.raises(UserError, match=r"^p: synaptic sums beyond 2\^53"):
        chip_model(chip(huge, [neuron], [Projection("in", "x", "p", np.full((2, 1 << 12), 255), 7)]))
    beyond = {"onnx": "6 steps per sample, but the network was exported for 4", "onnx-float": "export with --steps 6"}
    for engine, message in beyond.items():
        with pytest.raises(UserError, match=message):
            make_engine(engine, exported, np.zeros((1, 1, 8, 8)), steps=6)
    lava = export_network(trained, "lava", tmp_path / "lava")
    with pytest.raises(UserError, match="has no ONNX models; export with --target onnx"):
        make_engine("onnx", lava, np.zeros((1, 1, 8, 8)))
