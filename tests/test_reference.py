"""The float reference against closed forms and torch's own layers."""

import nir
import numpy as np
import pytest
import torch

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph import flatten_graph
from dalif_deploy.hw_models.reference import run_reference
from tests.nir_networks import DT, chain, image_network, lif


def one_neuron(node):
    shape = np.array([1])
    return chain(("in", nir.Input({"input": shape})), ("n", node), ("out", nir.Output({"output": shape})))


def test_membrane_of_a_constant_input_is_the_geometric_sum():
    run = run_reference(one_neuron(lif((1,), beta=0.8, threshold=100.0, gain=0.3)), np.ones((1, 1)), dt=DT, steps=12)
    t = np.arange(1, 13)
    np.testing.assert_allclose(run.membrane["n"][0, :, 0], 0.3 * (1 - 0.8**t) / (1 - 0.8), rtol=1e-12)


def test_two_time_constants_give_the_difference_of_powers():
    a = np.array([1.0])
    node = nir.CubaLI(tau_syn=a * DT / 0.5, tau_mem=a * DT / 0.25, r=a * 4, v_leak=a * 0, w_in=a * 2)
    x = np.zeros((1, 10, 1))
    x[0, 0] = 1
    t = np.arange(1, 11)
    # impulse response of two cascaded first-order filters
    expected = (0.75**t - 0.5**t) / (0.75 - 0.5)
    np.testing.assert_allclose(run_reference(one_neuron(node), x, dt=DT).membrane["n"][0, :, 0], expected, rtol=1e-12)


def test_fires_strictly_above_the_threshold_and_resets():
    a = np.array([1.0])
    node = nir.IF(r=a / DT, v_threshold=a * 2, v_reset=a * 0.5)
    run = run_reference(one_neuron(node), np.ones((1, 1)), dt=DT, steps=6)
    # starts at the reset value 0.5: 1.5, 2.5 -> spike
    np.testing.assert_array_equal(run.spikes["n"][0, :, 0], [0, 1, 0, 1, 0, 1])
    equal = run_reference(
        one_neuron(nir.IF(r=a / DT, v_threshold=a * 2, v_reset=a * 0)), np.ones((1, 1)), dt=DT, steps=4
    )
    np.testing.assert_array_equal(equal.spikes["n"][0, :, 0], [0, 0, 1, 0])


def test_soft_reset_keeps_the_rest():
    node = lif((1,), beta=0.5, threshold=1.0, reset="subtract")
    run = run_reference(one_neuron(node), np.full((1, 1), 1.75), dt=DT, steps=2)
    np.testing.assert_allclose(run.membrane["n"][0, :, 0], [0.75, 0.5 * 0.75 + 1.75 - 1])


def test_image_network_equals_torch_layer_by_layer():
    rng = np.random.default_rng(0)
    graph = image_network(rng)
    x = rng.random((5, 1, 8, 8))
    run = run_reference(graph, x, dt=DT, steps=4)
    value = {k: torch.tensor(getattr(graph.nodes[k], "weight", np.zeros(1))) for k in ("c1", "c2", "readout")}
    bias = {k: torch.tensor(graph.nodes[k].bias) for k in value}
    v1 = v2 = 0
    for t in range(4):
        v1 = 0.4 * v1 + torch.nn.functional.conv2d(torch.tensor(x), value["c1"], bias["c1"], padding=1)
        s1 = (v1 > 1).double()
        v1 = v1 * (1 - s1)
        v2 = 0.6 * v2 + torch.nn.functional.conv2d(s1, value["c2"], bias["c2"], stride=2, padding=1)
        s2 = (v2 > 1).double()
        v2 = v2 * (1 - s2)
        np.testing.assert_array_equal(run.spikes["b2"][:, t], s2.numpy())
        expected = s2.flatten(1) @ value["readout"].T + bias["readout"]
        np.testing.assert_allclose(run.outputs["output"][:, t], expected.numpy(), atol=1e-12)


def test_nested_graphs_and_shuffled_files_give_the_same_network():
    rng = np.random.default_rng(1)
    flat = image_network(rng)
    inner_names = ["c2", "b2", "flat"]
    inner = nir.NIRGraph(
        {
            "i": nir.Input({"input": np.array([8, 8, 8])}),
            **{n: flat.nodes[n] for n in inner_names},
            "o": nir.Output({"output": np.array([192])}),
        },
        [("flat", "o"), ("b2", "flat"), ("i", "c2"), ("c2", "b2")],
        type_check=False,
    )
    nodes = {n: flat.nodes[n] for n in reversed(["input", "c1", "b1", "readout", "output"])}
    nested = nir.NIRGraph(
        {**nodes, "middle": inner},
        [("readout", "output"), ("middle", "readout"), ("b1", "middle"), ("c1", "b1"), ("input", "c1")],
        type_check=False,
    )
    x = rng.random((3, 1, 8, 8))
    one, two = (run_reference(g, x, dt=DT, steps=3) for g in (flat, nested))
    np.testing.assert_array_equal(one.outputs["output"], two.outputs["output"])
    assert "middle.b2" in two.spikes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.nodes.update(c1=nir.Linear(np.ones((3, 5)))), "weight of shape"),
        (lambda g: g.edges.append(("b1", "nowhere")), "nowhere"),
        (lambda g: g.nodes["c1"].weight.__setitem__((0, 0, 0, 0), np.nan), "NaN"),
        (lambda g: g.nodes.pop("output") and g.edges.pop(), "no Output"),
    ],
)
def test_faults_are_named(change, words):
    graph = image_network(np.random.default_rng(2))
    change(graph)
    with pytest.raises(UserError, match=words):
        flatten_graph(graph)


def test_a_time_step_that_would_diverge_is_refused():
    with pytest.raises(UserError, match="--dt"):
        run_reference(one_neuron(lif((1,), 0.9)), np.ones((1, 1)), dt=1.0, steps=2)
