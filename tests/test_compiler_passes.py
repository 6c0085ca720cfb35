"""What the compiler folds and moves is still the graph: its float form is stepped and held against the reference."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings

from dalif_deploy.hw_models.chip_network.file import read_chip_network, write_chip_network
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.compiler.populations import find_populations
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph import flatten_graph
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests.float_network import UndecidedError, step_float_network
from tests.nir_networks import DT, lif
from tests.random_graphs import graph_cases

RNG = np.random.default_rng(11)
STEPS = 12


def port(*shape):
    return np.array(shape)


def cuba(n, *, syn=0.6, mem=0.7, threshold=1.0, gain=1.0, leak=0.0, reset=0.0):
    one = np.ones(n)
    return nir.CubaLIF(
        tau_syn=one * DT / (1 - syn), tau_mem=one * DT / (1 - mem), r=gain * one / (1 - mem), w_in=one / (1 - syn),
        v_leak=one * leak, v_threshold=one * threshold, v_reset=one * reset,
    )  # fmt: skip


def recurrent_graph():
    """CubaLIF with a bias before its synaptic filter, its own loop, a leak and a reset that are not zero."""
    nodes = {
        "input": nir.Input({"input": port(6)}),
        "w_in": nir.Affine(RNG.normal(size=(8, 6)) * 0.6, RNG.normal(size=8) * 0.3),
        "cell": nir.NIRGraph(
            {
                "in": nir.Input({"input": port(8)}),
                "lif": cuba(8, leak=0.1, reset=-0.2),
                "w_rec": nir.Affine(RNG.normal(size=(8, 8)) * 0.4, RNG.normal(size=8) * 0.1),
                "out": nir.Output({"output": port(8)}),
            },
            [("w_rec", "lif"), ("in", "lif"), ("lif", "w_rec"), ("lif", "out")],
            type_check=False,
        ),
        "w_out": nir.Affine(RNG.normal(size=(3, 8)) * 0.5, RNG.normal(size=3)),
        "li": nir.CubaLI(
            tau_syn=np.full(3, 2 * DT), tau_mem=np.full(3, 4 * DT), r=np.ones(3), v_leak=np.zeros(3), w_in=np.ones(3)
        ),
        "output": nir.Output({"output": port(3)}),
    }
    edges = [("input", "w_in"), ("w_in", "cell"), ("cell", "w_out"), ("w_out", "li"), ("li", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False), ["cell.lif"]


def shared_affine_graph():
    """Two sources lead into one Affine, whose bias counts once; behind it a diamond, through which it counts twice."""
    nodes = {
        "input": nir.Input({"input": port(5)}),
        "a": nir.Linear(RNG.normal(size=(4, 5))),
        "n1": lif((4,), 0.5, 0.7),
        "side": nir.Linear(RNG.normal(size=(4, 5)) * 0.5),
        "sum": nir.Affine(RNG.normal(size=(6, 4)), np.full(6, 0.35)),
        "left": nir.Scale(RNG.normal(size=6)),
        "right": nir.Affine(np.eye(6) * 0.5, np.full(6, 0.1)),
        "late": nir.Delay(np.array([0, 1, 2, 2, 1, 3]) * DT),
        "n2": lif((6,), 0.8, 0.6, reset="subtract"),
        "output": nir.Output({"output": port(6)}),
    }
    edges = [
        ("input", "a"), ("a", "n1"), ("n1", "sum"), ("input", "side"), ("side", "sum"), ("sum", "left"),
        ("sum", "right"), ("left", "n2"), ("right", "late"), ("late", "n2"), ("n2", "output"),
    ]  # fmt: skip
    return nir.NIRGraph(nodes, edges, type_check=False), ["n1", "n2"]


def even_kernels_graph():
    """padding 'same' with kernels and dilations that need one more row on one side; Conv1d and Conv2d."""
    nodes = {
        "input": nir.Input({"input": port(2, 6, 7)}),
        "conv": nir.Conv2d((6, 7), RNG.normal(size=(4, 1, 2, 4)), 1, "same", (3, 1), 2, RNG.normal(size=4) * 0.3),
        "n1": lif((4, 6, 7), np.array([0.1, 0.5, 0.9, 0.0]).reshape(4, 1, 1), 0.8),
        "pool": nir.AvgPool2d(port(2, 3), port(2, 2), port(0, 1)),
        "conv2": nir.Conv2d((3, 4), RNG.normal(size=(3, 4, 2, 2)), (2, 1), (1, 0), 1, 1, np.zeros(3)),
        "n2": lif((3, 2, 3), 0.4, np.abs(RNG.normal(size=(3, 2, 3)))),
        "flat": nir.Flatten({"input": port(3, 2, 3)}, 1, 2),
        "conv1": nir.Conv1d(6, RNG.normal(size=(2, 3, 4)), 1, "same", 1, 1, RNG.normal(size=2) * 0.2),
        "n3": lif((2, 6), 0.4, 0.5),
        "output": nir.Output({"output": port(2, 6)}),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), type_check=False), ["n1", "n2", "n3"]


def reshaped_graph():
    """Convolutions whose output is flattened before the neurons, and before the next convolution."""
    nodes = {
        "input": nir.Input({"input": port(2, 4, 5)}),
        "conv": nir.Conv2d((4, 5), RNG.normal(size=(3, 2, 3, 3)), 1, 1, 1, 1, RNG.normal(size=3) * 0.2),
        "flat": nir.Flatten({"input": port(3, 4, 5)}, 0, -1),
        "n1": lif((60,), 0.5, 0.8),
        "w": nir.Linear(RNG.normal(size=(24, 60)) * 0.3),
        "n2": lif((24,), 0.5, 0.8),
        "output": nir.Output({"output": port(24)}),
        "conv2": nir.Conv2d((4, 5), RNG.normal(size=(4, 2, 1, 2)), 1, 0, 1, 1, np.zeros(4)),
        "rows": nir.Flatten({"input": port(4, 4, 4)}, 1, 2),
        "conv1": nir.Conv1d(16, RNG.normal(size=(2, 4, 3)), 1, 1, 1, 1, RNG.normal(size=2) * 0.2),
        "n3": lif((2, 16), 0.3, 0.9),
        "output2": nir.Output({"output": port(2, 16)}),
    }
    edges = [
        ("input", "conv"), ("conv", "flat"), ("flat", "n1"), ("n1", "w"), ("w", "n2"), ("n2", "output"),
        ("input", "conv2"), ("conv2", "rows"), ("rows", "conv1"), ("conv1", "n3"), ("n3", "output2"),
    ]  # fmt: skip
    return nir.NIRGraph(nodes, edges, type_check=False), ["n1", "n2", "n3"]


def loop_graph():
    """A loop over two layers that is given the delay it needs, and a skip around both."""
    nodes = {
        "input": nir.Input({"input": port(5)}),
        "w1": nir.Linear(RNG.normal(size=(6, 5))),
        "n1": lif((6,), 0.7, 0.8),
        "w2": nir.Affine(RNG.normal(size=(4, 6)), RNG.normal(size=4) * 0.1),
        "n2": lif((4,), 0.5, 0.5),
        "back": nir.Linear(RNG.normal(size=(6, 4)) * 0.7),
        "wait": nir.Delay(np.full(6, DT)),
        "w3": nir.Linear(RNG.normal(size=(3, 4))),
        "skip": nir.Linear(RNG.normal(size=(3, 5)) * 0.5),
        "n3": nir.IF(r=np.full(3, 1 / DT), v_threshold=np.full(3, 1.3), v_reset=np.zeros(3)),
        "output": nir.Output({"output": port(3)}),
    }
    edges = [
        ("input", "w1"), ("w1", "n1"), ("n1", "w2"), ("w2", "n2"), ("n2", "back"), ("back", "wait"), ("wait", "n1"),
        ("n2", "w3"), ("w3", "n3"), ("input", "skip"), ("skip", "n3"), ("n3", "output"),
    ]  # fmt: skip
    return nir.NIRGraph(nodes, edges, type_check=False), ["n1", "n2", "n3"]


GRAPHS = {
    "recurrent CubaLIF": recurrent_graph,
    "bias of a shared node": shared_affine_graph,
    "padding same, even kernels": even_kernels_graph,
    "reshaped convolutions": reshaped_graph,
    "loop and skip": loop_graph,
}


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_the_folded_network_is_the_graph(make):
    graph, layers = make()
    flat = flatten_graph(graph)
    network = find_populations(flat, DT)
    (source,) = flat.inputs
    x = (np.random.default_rng(1).random((6, STEPS, *flat.shapes[source])) < 0.4).astype(float)
    reference = run_reference(flat, x, dt=DT)
    folded = step_float_network(network, {source: x}, STEPS)
    for layer in layers:
        spikes = reference.spikes[layer].reshape(6, STEPS, -1)
        assert 0.02 < spikes.mean() < 0.95
        np.testing.assert_array_equal(folded[layer], spikes)
    for name, output in network.outputs.items():
        if output.mode == "membrane":
            wanted = reference.outputs[name].reshape(6, STEPS, -1)
            np.testing.assert_allclose(folded[output.population], wanted, atol=1e-9)


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_the_compiled_network_stays_near_the_graph_also_from_disk(make, tmp_path):
    graph, layers = make()
    flat = flatten_graph(graph)
    (source,) = flat.inputs
    x = (np.random.default_rng(2).random((40, STEPS, *flat.shapes[source])) < 0.4).astype(float)
    network = compile_graph(graph, chip="loihi2", steps=STEPS, dt=DT, input_mode="spikes").network
    write_chip_network(tmp_path / "n.nir", network)
    run, again = (simulate(n, encode_input(n, x)) for n in (network, read_chip_network(tmp_path / "n.nir")))
    reference = run_reference(flat, x, dt=DT)
    for layer in layers:
        assert (run.spikes[layer] == reference.spikes[layer]).mean() > 0.97
        # rates agree far more closely than the moments of single spikes
        rates = run.spikes[layer].mean(axis=(0, 1)) - reference.spikes[layer].mean(axis=(0, 1))
        assert np.abs(rates).mean() < 0.01
        np.testing.assert_array_equal(run.membrane[layer], again.membrane[layer])


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(graph_cases(steps=6, samples=2))
def test_random_graphs_fold_to_the_same_network(case):
    """Linear chains in float: no chip, no rounding."""
    flat, dt = flatten_graph(case.graph), case.options["dt"]
    network = find_populations(flat, dt)
    moving = {
        name: x if x.ndim > len(flat.shapes[name]) + 1 else np.repeat(x[:, None], 6, 1) for name, x in case.data.items()
    }
    try:
        folded = step_float_network(network, moving, 6)
    except UndecidedError:
        reject()
    reference = run_reference(flat, case.data, dt=dt, steps=6)
    for layer, spikes in reference.spikes.items():
        np.testing.assert_array_equal(folded[layer], spikes.reshape(2, 6, -1), err_msg=layer)
    for layer in reference.membrane.keys() - reference.spikes.keys():
        wanted = reference.membrane[layer].reshape(2, 6, -1)
        np.testing.assert_allclose(folded[layer], wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max(initial=1e-9))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(
    ("kernel", "dilation"), [((2, 3), (1, 1)), ((4, 2), (1, 3)), ((1, 5), (2, 2)), ((2, 2), (2, 1))]
)
def test_padding_same_is_torch_s(kernel, dilation):
    weight = np.random.default_rng(3).normal(size=(3, 2, *kernel))
    graph = nir.NIRGraph(
        {
            "input": nir.Input({"input": port(2, 6, 7)}),
            "conv": nir.Conv2d((6, 7), weight, 1, "same", dilation, 1, np.zeros(3)),
            "output": nir.Output({"output": port(3, 6, 7)}),
        },
        [("input", "conv"), ("conv", "output")],
        type_check=False,
    )
    x = np.random.default_rng(4).normal(size=(2, 2, 6, 7))
    wanted = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(weight), padding="same", dilation=dilation)
    output = run_reference(graph, x, dt=DT, steps=1).outputs["output"][:, 0]
    np.testing.assert_allclose(output, wanted.numpy(), atol=1e-12)


def two_inputs_graph(shape=(2, 4, 4)):
    nodes = {
        "image": nir.Input({"input": port(*shape)}),
        "events": nir.Input({"input": port(3)}),
        "conv": nir.Conv2d(shape[1:], np.random.default_rng(5).normal(size=(2, 2, 3, 3)), 1, 1, 1, 1, np.full(2, 0.1)),
        "a": lif((2, 4, 4), 0.5, 0.8),
        "flat": nir.Flatten({"input": port(2, 4, 4)}, 0, -1),
        "w": nir.Linear(np.random.default_rng(6).normal(size=(4, 32)) * 0.5),
        "we": nir.Affine(np.random.default_rng(7).normal(size=(4, 3)), np.full(4, 0.05)),
        "b": lif((4,), 0.7, 0.6),
        "count": nir.Output({"output": port(4)}),
        "wr": nir.Affine(np.random.default_rng(8).normal(size=(2, 4)), np.full(2, 0.5)),
        "value": nir.Output({"output": port(2)}),
    }
    edges = [
        ("image", "conv"), ("conv", "a"), ("a", "flat"), ("flat", "w"), ("w", "b"), ("events", "we"), ("we", "b"),
        ("b", "count"), ("b", "wr"), ("wr", "value"),
    ]  # fmt: skip
    return nir.NIRGraph(nodes, edges, type_check=False)


@pytest.mark.parametrize("mode", ["spikes", "graded", "bias"])
def test_several_inputs_and_outputs(mode):
    rng = np.random.default_rng(9)
    data = {"image": (rng.random((30, 2, 4, 4)) < 0.4) * 1.0, "events": (rng.random((30, 3)) < 0.5) * 1.0}
    graph = two_inputs_graph()
    network = compile_graph(graph, chip="loihi2", steps=6, dt=DT, input_mode=mode).network
    run = simulate(network, encode_input(network, data))
    reference = run_reference(graph, data, dt=DT, steps=6)
    assert (run.spikes["b"] == reference.spikes["b"]).mean() > 0.97
    np.testing.assert_array_equal(run.outputs["count"], run.spikes["b"].sum(axis=1))
    value = run.outputs["value"] / network.populations["wr"].scale
    wanted = reference.outputs["value"].sum(axis=1)
    assert np.corrcoef(value.ravel(), wanted.ravel())[0, 1] > 0.97
    for bad, words in ((data["image"], "2 inputs"), ({"image": data["image"]}, "events")):
        with pytest.raises(UserError, match=words):
            encode_input(network, bad)


def test_several_host_layers_add_up_in_one_bias():
    graph = two_inputs_graph()
    graph.nodes["image"] = nir.Input({"input": port(2, 4, 4)})
    graph.nodes["other"] = nir.Input({"input": port(2, 4, 4)})
    graph.nodes["conv2"] = nir.Conv2d(
        (4, 4), np.random.default_rng(1).normal(size=(2, 2, 1, 1)), 1, 0, 1, 1, np.zeros(2)
    )
    graph.edges += [("other", "conv2"), ("conv2", "a")]
    rng = np.random.default_rng(10)
    data = {"image": rng.random((20, 2, 4, 4)), "other": rng.random((20, 2, 4, 4)), "events": rng.random((20, 3))}
    network = compile_graph(graph, chip="loihi1", steps=6, dt=DT, input_mode="bias").network
    run = simulate(network, encode_input(network, data))
    reference = run_reference(graph, data, dt=DT, steps=6)
    assert (run.spikes["a"] == reference.spikes["a"]).mean() > 0.99


def test_a_filtered_bias_comes_from_a_neuron_that_always_fires_next_to_its_target():
    graph, _ = recurrent_graph()
    network = compile_graph(graph, chip="loihi2", steps=5, dt=DT, input_mode="spikes").network
    run = simulate(network, encode_input(network, np.zeros((1, 5, 6))))
    assert run.spikes["cell.lif.bias"].all()
    # started one step before its target, so that nothing waits
    waits = {p.source: network.pipeline_delay(p) for p in network.projections.values() if p.source.endswith(".bias")}
    assert waits == {"cell.lif.bias": 0, "li.bias": 0}
