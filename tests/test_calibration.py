"""Scales chosen by sample data: what they gain, and that nothing overflows without being told."""

import nir
import numpy as np
import pytest

from dalif_deploy.hw_models.compiler import ScaleRule, compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests.nir_networks import DT, chain, image_network, lif

STEPS = 4


def images(seed, n):
    return np.rint(np.random.default_rng(seed).random((n, 1, 8, 8)) * 16) / 16


def compiled(graph, bits, rule, calibration):
    return compile_graph(
        graph, chip="loihi2", steps=STEPS, dt=DT, input_mode="graded", input_step=1 / 16, weight_bits=bits,
        scale_rule=rule, calibration=calibration,
    )  # fmt: skip


def current_error(graph, network, x):
    """Relative error of the second layer's synaptic current, on other data, given the float network's own spikes."""
    weight = graph.nodes["c2"].weight
    (projection,) = network.incoming("b2")
    scale = np.broadcast_to(network.populations["b2"].scale, (12, 1, 1))[..., None]
    lost = projection.weight * 64.0 * 2.0**projection.weight_exp / scale - weight
    spikes = run_reference(graph, x, dt=DT, steps=STEPS).spikes["b1"].reshape(-1, 8, 8, 8)

    def power(kernel):
        padded = np.pad(spikes, ((0, 0), (0, 0), (1, 1), (1, 1)))
        taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
        return (np.einsum("nchwij,ocij->nohw", taps, kernel) ** 2).mean()

    return power(lost) / power(weight)


@pytest.mark.parametrize("bits", [2, 4])
def test_with_few_bits_calibrated_scales_lose_less_and_channels_of_their_own_less_still(bits):
    graph = image_network(np.random.default_rng(0))
    # one channel far louder than the others, as batch norm folded into a convolution leaves it
    graph.nodes["c2"].weight[3] *= 6
    x, other = images(1, 24), images(2, 24)
    error = {
        name: current_error(graph, compiled(graph, bits, rule, data).network, other)
        for name, rule, data in (
            ("worst", None, None),
            ("layer", ScaleRule("error"), x),
            ("channel", ScaleRule("error", "channel"), x),
        )
    }
    assert error["channel"] < 0.5 * error["layer"] and error["layer"] <= error["worst"]


def test_channels_of_their_own_scale_are_still_the_same_network():
    graph = image_network(np.random.default_rng(3))
    x = images(4, 40)
    network = compiled(graph, 8, ScaleRule("error", "channel"), x[:8]).network
    assert network.populations["b1"].scale.shape == (8, 1, 1) and network.populations["b1"].vth.shape == (8, 1, 1)
    run, reference = simulate(network, encode_input(network, x)), run_reference(graph, x, dt=DT, steps=STEPS)
    for layer in ("b1", "b2"):
        assert (run.spikes[layer] == reference.spikes[layer]).mean() > 0.985


def long_readout(steps):
    rng = np.random.default_rng(5)
    return chain(
        ("input", nir.Input({"input": np.array([20])})),
        ("w", nir.Linear(rng.normal(size=(30, 20)) * 0.5)),
        ("n", lif((30,), 0.9, 1.0)),
        ("readout", nir.Linear(rng.normal(size=(4, 30)))),
        ("output", nir.Output({"output": np.array([4])})),
    ), (rng.random((6, steps, 20)) < 0.1).astype(float)


@pytest.mark.parametrize("rule", ["error", "percentile"])
def test_a_long_sample_leaves_a_readout_its_bits_when_calibrated(rule):
    """The worst case of 1,500 steps would shrink the readout's weights to nothing."""
    graph, x = long_readout(1500)
    options = {"chip": "loihi2", "steps": 1500, "dt": DT, "input_mode": "spikes"}
    worst = compile_graph(graph, **options)
    seen = compile_graph(graph, **options, scale_rule=ScaleRule(rule), calibration=x[:3])
    before, after = (c.layers[-1] for c in (worst, seen))
    assert after["weight_sqnr_db"] > before["weight_sqnr_db"] + 6
    assert after["membrane_may_clip"] and not after["membrane_overflow_seen"]
    run = simulate(seen.network, encode_input(seen.network, x))
    wanted = run_reference(graph, x, dt=DT).outputs["output"].sum(axis=1)
    got = run.outputs["output"] / seen.network.populations["readout"].scale
    assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_rule_that_needs_data_says_so():
    with pytest.raises(UserError, match="calibration data") as caught:
        compiled(image_network(np.random.default_rng(6)), 8, ScaleRule("error"), None)
    assert "--calibrate" in caught.value.remedy


def test_a_graded_input_leaves_its_weights_some_levels():
    """A slow synapse takes the bits of the current register; 255 levels would leave weights of one or two units."""
    rng = np.random.default_rng(7)
    one = np.ones(12)
    graph = chain(
        ("input", nir.Input({"input": np.array([40])})),
        ("w", nir.Linear(rng.normal(size=(12, 40)) * 0.3)),
        (
            "n",
            nir.CubaLIF(
                tau_syn=DT / 0.1 * one, tau_mem=DT / 0.5 * one, r=2 * one, v_leak=0 * one, v_threshold=2 * one,
                w_in=10 * one, v_reset=0 * one,
            ),
        ),
        ("output", nir.Output({"output": np.array([12])})),
    )  # fmt: skip
    x = rng.random((60, 12, 40))
    network = compile_graph(graph, chip="loihi2", steps=12, dt=DT, input_mode="graded", input_step=1 / 255).network
    (chip_input,), (projection,) = network.inputs.values(), network.projections.values()
    assert chip_input.step >= 4 / 255 and np.abs(projection.weight).max() >= 16
    run, reference = simulate(network, encode_input(network, x)), run_reference(graph, x, dt=DT)
    assert 0.05 < reference.spikes["n"].mean() < 0.95
    assert (run.spikes["n"] == reference.spikes["n"]).mean() > 0.97


def test_images_keep_their_levels_where_weights_have_enough():
    network = compiled(image_network(np.random.default_rng(8)), 8, None, None).network
    assert network.inputs["input"].step == 1 / 16
