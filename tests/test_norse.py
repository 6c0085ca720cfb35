"""Norse's neurons against the float reference: on random graphs, and a graph that Norse's own reader misreads."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings

pytest.importorskip("norse.torch")

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.nir_file import write_nir
from dalif_deploy.converters.norse.norse_network import NorseNetwork, load_norse
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.simulation.engines import make_engine
from tests.nir_networks import DT, image_network
from tests.random_graphs import graph_cases

STEPS = 6


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(graph_cases(steps=STEPS, samples=3))
def test_random_graphs_give_the_reference_spikes_in_norse(case):
    dt = case.options["dt"]
    try:
        network = NorseNetwork(case.graph, dt)
    except UserError as error:
        assume("Norse" not in str(error))
        raise
    flat = network.flat
    x = {}
    for name in flat.inputs:
        array = torch.from_numpy(case.data[name])
        moving = array.ndim == len(flat.shapes[name]) + 2
        x[name] = array.transpose(0, 1) if moving else array.expand(STEPS, *array.shape)
    with torch.no_grad():
        outputs, spikes, membrane = network.run(x)
    reference = run_reference(flat, case.data, dt=dt, steps=STEPS)
    for name, expected in reference.spikes.items():
        np.testing.assert_array_equal(spikes[name].transpose(0, 1).numpy(), expected, err_msg=name)
    for found, wanted in ((membrane, reference.membrane), (outputs, reference.outputs)):
        for name, expected in wanted.items():
            np.testing.assert_allclose(found[name].transpose(0, 1).numpy(), expected, atol=1e-9, rtol=1e-9)


def test_exported_folder_runs_in_the_engine_and_opens_as_a_module_that_learns(tmp_path):
    rng = np.random.default_rng(0)
    graph = image_network(rng)
    write_nir(tmp_path / "net.nir", graph)
    artefact = export_network(tmp_path / "net.nir", "norse", tmp_path / "out", dt=DT)
    x = rng.random((4, 1, 8, 8))
    run = make_engine("norse", artefact, x, steps=5).run(slice(None), ("spikes",))
    expected = run_reference(graph, x, dt=DT, steps=5)
    assert expected.spikes["b2"].any()
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(run.spikes[name], spikes)
    network = load_norse(tmp_path / "out")
    network(torch.from_numpy(x).float().expand(5, *x.shape))["output"].square().sum().backward()
    assert network.weights["c1"].weight.grad.abs().sum() > 0


def test_what_norse_has_not_is_refused_by_name(tmp_path):
    import nir

    shape = {"input": np.array([2])}
    one = np.ones(2)
    nodes = {"i": nir.Input(shape), "t": nir.Threshold(one), "o": nir.Output({"output": np.array([2])})}
    graph = nir.NIRGraph(nodes, [("i", "t"), ("t", "o")], type_check=False)
    with pytest.raises(UserError, match=r"^t: Norse has no neuron without a state"):
        NorseNetwork(graph, DT)
