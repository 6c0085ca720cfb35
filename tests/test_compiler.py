"""The compiler: what it folds is the same map, what it rounds stays near, what can't be done is refused by name."""

import nir
import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.file import read_chip_network, write_chip_network
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests.nir_networks import DT, chain, image_network, lif


def compiled(graph, mode, *, chip="loihi2", steps=4, **options):
    return compile_graph(graph, chip=chip, steps=steps, dt=DT, input_mode=mode, **options)


@pytest.mark.parametrize(("chip", "mode"), [("loihi1", "bias"), ("loihi2", "bias"), ("loihi2", "graded")])
def test_an_image_network_keeps_its_spikes_and_its_result(chip, mode):
    rng = np.random.default_rng(0)
    graph = image_network(rng)
    x = np.rint(rng.random((30, 1, 8, 8)) * 16) / 16
    result = compiled(graph, mode, chip=chip, input_step=1 / 16)
    run = simulate(result.network, encode_input(result.network, x))
    reference = run_reference(graph, x, dt=DT, steps=4)
    assert reference.spikes["b1"].mean() > 0.05
    for layer in ("b1", "b2"):
        assert (run.spikes[layer] != reference.spikes[layer]).mean() < 0.02
    scores = run.outputs["output"] / (result.network.populations["readout"].scale * 4)
    wanted = reference.outputs["output"].mean(axis=1)
    assert np.abs(scores - wanted).mean() < 0.25 * np.abs(wanted).mean()


@pytest.mark.parametrize("mode", ["bias", "graded"])
def test_integers_on_disk_are_the_same_network(mode, tmp_path):
    network = compiled(image_network(np.random.default_rng(1)), mode).network
    # an order that is not the alphabet's
    network.populations = dict(reversed(network.populations.items()))
    x = np.random.default_rng(2).random((2, 1, 8, 8))
    write_chip_network(tmp_path / "n.nir", network)
    again = read_chip_network(tmp_path / "n.nir")
    before, after = (simulate(n, encode_input(n, x)) for n in (network, again))
    for layer in network.populations:
        np.testing.assert_array_equal(before.membrane[layer], after.membrane[layer])
    assert before.membrane["b2"].any()
    assert (again.chip, again.steps) == (network.chip, network.steps)
    assert list(again.populations) == list(network.populations) != sorted(network.populations)
    assert list(again.projections) == list(network.projections)


def test_any_nir_reader_sees_the_chip_s_own_dynamics_in_the_file(tmp_path):
    """Stepped as plain NIR at dt = 1, in integer units, the file gives nearly the chip's spikes."""
    rng = np.random.default_rng(3)
    network = compiled(image_network(rng), "graded", input_step=1 / 16).network
    levels = rng.integers(0, 17, (5, 1, 8, 8))
    run = simulate(network, encode_input(network, levels / 16))
    write_chip_network(tmp_path / "n.nir", network)
    as_nir = run_reference(nir.read(tmp_path / "n.nir", type_check=False), levels.astype(float), dt=1.0, steps=4)
    assert (as_nir.spikes["b1"] != run.spikes["b1"]).mean() < 1e-3
    assert (as_nir.spikes["b2"] != run.spikes["b2"]).mean() < 1e-2


def folded_equals_reference(graph, x, *, steps=3):
    """Runs the folded float network by hand: one linear map a population, from the compiler's own passes."""
    from dalif_deploy.hw_models.compiler.populations import find_populations
    from dalif_deploy.hw_models.graph import flatten_graph

    flat = flatten_graph(graph)
    network = find_populations(flat, DT)
    reference = run_reference(flat, x, dt=DT, steps=steps)
    (name,) = [n for n in network.populations if n not in reference.spikes]
    readout = network.populations[name]
    sources = {**reference.spikes, **{n: np.repeat(x[:, None], steps, 1) for n in network.inputs}}
    total = np.broadcast_to(readout.bias, (len(x), steps, *readout.shape)).copy()
    from dalif_deploy.hw_models.compiler.fold_linear import apply_linear_map

    for drive in readout.drives:
        late = np.zeros_like(sources[drive.source], dtype=float)
        late[:, drive.map.delay :] = sources[drive.source][:, : steps - drive.map.delay]
        total += apply_linear_map(drive.map, late.reshape(-1, *drive.map.in_shape)).reshape(total.shape)
    (output,) = reference.outputs.values()
    np.testing.assert_allclose(total, output, atol=1e-10)
    return readout


RNG = np.random.default_rng(9)
LINEAR_CHAINS = {
    "pool then conv": [
        ("pool", nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))),
        ("conv", nir.Conv2d((4, 4), RNG.normal(size=(3, 2, 3, 3)), 1, 1, 1, 1, RNG.normal(size=3))),
    ],
    "conv then pool": [
        ("conv", nir.Conv2d((8, 8), RNG.normal(size=(3, 2, 3, 3)), 1, 1, 1, 1, RNG.normal(size=3))),
        ("pool", nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))),
    ],
    "overlapping padded pool then conv": [
        ("pool", nir.SumPool2d(np.array([3, 3]), np.array([2, 2]), np.array([1, 1]))),
        ("conv", nir.Conv2d((4, 4), RNG.normal(size=(3, 2, 3, 3)), 1, 1, 1, 1, RNG.normal(size=3))),
    ],
    "pool, flatten, affine, scale": [
        ("pool", nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))),
        ("flat", nir.Flatten({"input": np.array([2, 4, 4])}, 0, -1)),
        ("affine", nir.Affine(RNG.normal(size=(5, 32)), RNG.normal(size=5))),
        ("scale", nir.Scale(RNG.normal(size=5))),
    ],
    "grouped, dilated conv, then a delay": [
        ("conv", nir.Conv2d((8, 8), RNG.normal(size=(4, 1, 3, 2)), (2, 1), (1, 0), (1, 2), 2, np.zeros(4))),
        ("delay", nir.Delay(np.full((4, 4, 6), DT))),
    ],
    "scale a neuron, then conv": [
        ("scale", nir.Scale(RNG.normal(size=(2, 8, 8)))),
        ("conv", nir.Conv2d((8, 8), RNG.normal(size=(3, 2, 3, 3)), 2, "valid", 1, 1, RNG.normal(size=3))),
    ],
}


@pytest.mark.parametrize("nodes", list(LINEAR_CHAINS.values()), ids=list(LINEAR_CHAINS))
def test_folded_chains_are_the_same_map(nodes):
    graph = chain(
        ("input", nir.Input({"input": np.array([2, 8, 8])})),
        ("n", lif((2, 8, 8), 0.3, 0.4)),
        *nodes,
        ("output", nir.Output({"output": np.array([1])})),
    )
    readout = folded_equals_reference(graph, np.random.default_rng(4).random((3, 2, 8, 8)))
    assert len(readout.drives) == 1


def test_skip_connections_add_their_drives():
    rng = np.random.default_rng(5)
    graph = image_network(rng)
    graph.nodes["side"] = nir.Conv2d((8, 8), rng.normal(size=(12, 8, 1, 1)), 2, 0, 1, 1, np.zeros(12))
    graph.nodes["b3"] = lif((12, 4, 4), 0.5)
    graph.nodes["c3"] = nir.Conv2d((4, 4), rng.normal(size=(12, 12, 3, 3)), 1, 1, 1, 1, np.zeros(12))
    graph.edges.remove(("b2", "flat"))
    graph.edges += [("b2", "c3"), ("c3", "b3"), ("b1", "side"), ("side", "b3"), ("b3", "flat")]
    found = compiled(graph, "bias")
    network = found.network
    assert {p.source for p in network.incoming("b3")} == {"b1", "b2"}
    waits = {p.source: network.pipeline_delay(p) for p in network.incoming("b3")}
    assert waits == {"b1": 1, "b2": 0}
    (late,) = [p.name for p in network.incoming("b3") if p.source == "b1"]
    assert found.delays == [{"projection": late, "steps": 1, "neurons": 8 * 8 * 8}]


def test_whole_multiples_stay_exact_and_ties_do_not_fire():
    """Three inputs of weight 1 and threshold 2: NIR fires only above 2, so on three spikes but not on two."""
    n = np.array([1.0])
    graph = chain(
        ("input", nir.Input({"input": np.array([3])})),
        ("w", nir.Linear(np.ones((1, 3)))),
        ("n", nir.IF(r=n / DT, v_threshold=n * 2, v_reset=n * 0)),
        ("output", nir.Output({"output": np.array([1])})),
    )
    x = np.array([[[1, 1, 0], [0, 0, 0], [1, 0, 0], [1, 1, 1]]])
    for threshold, expected in ((2.0, [0, 0, 1, 1]), (np.nextafter(np.float32(2), np.float32(0)), [1, 0, 0, 1])):
        graph.nodes["n"].v_threshold = n * float(threshold)
        network = compiled(graph, "spikes").network
        run = simulate(network, encode_input(network, x))
        np.testing.assert_array_equal(run.spikes["n"][0, :, 0], expected)
        np.testing.assert_array_equal(run_reference(graph, x, dt=DT).spikes["n"][0, :, 0], expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_weights_stay_on_the_grid_of_their_bits(bits):
    network = compiled(image_network(np.random.default_rng(6)), "graded", weight_bits=bits).network
    for projection in network.projections.values():
        weight = projection.weight
        assert weight.min() >= -256 and weight.max() <= 255
        assert (weight % (1 << (9 - bits)) == 0).all()
        assert len(np.unique(weight)) <= 2**bits


def refused(words, **kwargs):
    graph = kwargs.pop("graph", None) or image_network(np.random.default_rng(7), beta=kwargs.pop("beta", (0.4, 0.6)))
    mode = kwargs.pop("mode", "bias")
    with pytest.raises(UserError, match=words) as caught:
        compiled(graph, mode, **kwargs)
    assert caught.value.remedy
    return caught.value


def test_refusals_name_node_reason_and_remedy():
    assert refused("negative", beta=(0.4, -0.2)).where == "b2"
    refused("graded input", chip="loihi1", mode="graded")
    refused("weight bits", weight_bits=9)
    refused("unknown chip", chip="loihi7")
    soft = image_network(np.random.default_rng(7))
    soft.nodes["b1"].metadata["reset"] = "subtract"
    assert refused("subtraction", graph=soft, chip="loihi1").where == "b1"
    below = image_network(np.random.default_rng(7))
    below.nodes["b2"].v_threshold[:] = -0.5
    assert refused("threshold", graph=below).where == "b2"


def test_quantised_values_are_reported_a_layer():
    layers = {layer["layer"]: layer for layer in compiled(image_network(np.random.default_rng(8)), "graded").layers}
    assert layers["b1"]["beta_trained"] == pytest.approx(0.4)
    assert layers["b1"]["beta_quantised"] == pytest.approx(1 - round(4096 * 0.6) / 4096)
    assert 30 < layers["b1"]["weight_sqnr_db"] < 60
    assert layers["b1"]["weights_clipped"] == 0


def test_on_loihi_1_no_synaptic_sum_of_a_step_leaves_its_21_bits():
    """The chip wraps there (nengo-loihi's emulator, held against it); Lava does not, and Loihi 2 is not known to."""
    rng = np.random.default_rng(9)
    graph = chain(
        ("input", nir.Input({"input": np.array([1500])})),
        ("w", nir.Linear(rng.random((8, 1500)))),
        ("n", lif((8,), 0.9, 900.0)),
        ("output", nir.Output({"output": np.array([8])})),
    )
    first, second = (compile_graph(graph, chip=c, steps=4, dt=DT, input_mode="spikes") for c in ("loihi1", "loihi2"))
    everything = encode_input(first.network, np.ones((1, 4, 1500)))
    assert second.layers[0]["synaptic_bound"] > 1 << 21
    assert 0.9 * (1 << 21) < first.layers[0]["synaptic_bound"] < 1 << 21
    assert first.layers[0]["scale_bound_by"] == "synaptic sum of a step (21 bit)"
    assert not first.layers[0]["synaptic_may_wrap"] and not second.layers[0]["synaptic_may_wrap"]
    assert (simulate(first.network, everything).spikes["n"] == simulate(second.network, everything).spikes["n"]).all()
    # on data that is known to be sparse the sum may be larger in theory, and the report says so
    sparse = (rng.random((4, 4, 1500)) < 0.02).astype(float)
    seen = compile_graph(graph, chip="loihi1", steps=4, dt=DT, input_mode="spikes", calibration=sparse)
    assert seen.layers[0]["synaptic_may_wrap"]
