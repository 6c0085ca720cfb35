"""Every failure that the fuzzer has found, as a tiny network: the simulator, Lava and the slow chip must agree."""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipNetwork, Geometry, Projection
from dalif_deploy.hw_models.compiler import ScaleRule, compile_graph
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import chip, population
from tests.differential import compare, compare_with_slow_chip, merged, part, run_lava
from tests.fuzz_case import Case
from tests.nir_networks import DT, chain, lif

STEPS, SAMPLES = 6, 2


def messages(*shape: int, low: int = 0, high: int = 1) -> np.ndarray:
    return np.random.default_rng(7).integers(low, high + 1, (SAMPLES, STEPS, *shape)).astype(np.int32)


def case(network: ChipNetwork, **data: np.ndarray) -> Case:
    return Case(network, EncodedInput(STEPS, SAMPLES, data), frozenset())


def compiled(graph: nir.NIRGraph, shape: tuple[int, ...], **options) -> Case:
    network = compile_graph(graph, chip="loihi2", steps=STEPS, dt=DT, **options).network
    return Case(network, encode_input(network, messages(*shape).astype(float)), frozenset())


def rounded_to_one_sign() -> Case:
    """At 1 bit only -256 was left of mixed signs; Lava, told no sign mode, would have taken it for -255."""
    return case(
        chip(
            [ChipInput("x", (3,), "spikes")],
            [population("p", (2,), mant=300, exp=4)],
            [Projection("w", "x", "p", np.array([[0, -256, 0], [-256, 0, -256]]))],
        ),
        x=messages(3),
    )


def convolution_beyond_32_bits() -> Case:
    """Lava's Conv took its sums to int32 before it wrapped them at 24 bits."""
    geometry = Geometry((1, 1), (1, 1), (1, 1))
    return case(
        chip(
            [ChipInput("x", (1, 2, 2), "graded", 1.0, -(1 << 23), (1 << 23) - 1)],
            [population("p", (1, 2, 2), vth=20000)],
            [Projection("w", "x", "p", np.full((1, 1, 3, 3), 255), 3, geometry)],
        ),
        x=messages(1, 2, 2, low=-(1 << 23), high=(1 << 23) - 1),
    )


def delayed_hop_without_loop() -> Case:
    """What only a delayed projection leads into stood at the start of the pipeline, and was refused as a loop."""
    return case(
        chip(
            [ChipInput("x", (2,), "spikes")],
            [population(name, (2,), vth=50) for name in "abc"],
            [
                Projection("1", "x", "a", np.array([[200, 60], [80, 90]])),
                Projection("2", "a", "b", np.array([[200, 60], [80, 90]])),
                Projection("3", "b", "c", np.array([[200, 60], [80, 90]]), delay=1),
                Projection("4", "x", "c", np.array([[20, 30], [20, 40]]), delay=2),
            ],
        ),
        x=messages(2),
    )


def flat_neurons_behind_a_convolution(**options) -> Case:
    """Gains a neuron behind conv and flatten broke the compiler, behind conv alone they were refused."""
    rng = np.random.default_rng(3)
    kernel = rng.normal(size=(2, 1, 2, 2))
    graph = chain(
        ("input", nir.Input({"input": np.array([1, 3, 3])})),
        ("conv", nir.Conv2d((3, 3), kernel, 1, 0, 1, 1, np.zeros(2))),
        ("space", lif((2, 2, 2), beta=0.5, threshold=0.3, gain=rng.uniform(0.5, 1.0, (2, 2, 2)))),
        ("conv2", nir.Conv2d((2, 2), rng.uniform(0.2, 0.8, (2, 2, 1, 1)), 1, 0, 1, 1, np.zeros(2))),
        ("flat", nir.Flatten({"input": np.array([2, 2, 2])}, 0, -1)),
        ("lif", lif((8,), beta=0.4, threshold=0.3, gain=rng.uniform(0.5, 1.0, 8))),
        ("output", nir.Output({"output": np.array([8])})),
    )
    return compiled(graph, (1, 3, 3), **options)


def scale_a_neuron_behind_a_convolution() -> Case:
    """One scale a channel is one a neuron in a flat layer, whose projection was still a kernel."""
    return flat_neurons_behind_a_convolution(scale_rule=ScaleRule("worst", "channel"))


def current_exactly_at_its_limits() -> Case:
    """Not a failure: u of exactly +-2^23, which 200 random networks do not hit (mutants of the wrap survived them)."""
    return case(
        chip(
            [ChipInput("x", (4,), "graded", 1.0, -512, 512)],
            [population("p", (4,), du=2000, vth=131071)],
            [Projection("w", "x", "p", -256 * np.eye(4, dtype=int))],
        ),
        x=np.random.default_rng(1).choice([-512, 0, 512], (SAMPLES, STEPS, 4)).astype(np.int32),
    )


CASES = [
    current_exactly_at_its_limits,
    rounded_to_one_sign,
    convolution_beyond_32_bits,
    delayed_hop_without_loop,
    flat_neurons_behind_a_convolution,
    scale_a_neuron_behind_a_convolution,
]


@pytest.fixture(scope="module")
def made(lava):
    """All cases in one Lava session."""
    cases = [make() for make in CASES]
    return cases, run_lava(*merged(cases), threads=True)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[make.__name__ for make in CASES])
def test_past_failure(made, index):
    cases, everything = made
    ours = simulate(cases[index].network, cases[index].encoded)
    compare(cases[index], ours, part(everything, f"{index}/"))
    assert compare_with_slow_chip(cases[index], ours)
    fired = {name for name, spikes in ours.spikes.items() if spikes.any()}
    assert fired == set(cases[index].network.populations)


def test_output_of_a_nested_graph_is_that_of_its_last_neuron():
    """It became a readout that sums the neuron's spikes once more, or a refusal for a neuron without threshold."""
    inner = chain(
        ("input", nir.Input({"input": np.array([3])})),
        ("w", nir.Linear(np.eye(2, 3))),
        ("lif", lif((2,))),
        ("output", nir.Output({"output": np.array([2])})),
    )
    outer = chain(
        ("input", nir.Input({"input": np.array([3])})),
        ("inner", inner),
        ("output", nir.Output({"output": np.array([2])})),
    )
    network = compile_graph(outer, chip="loihi2", steps=2, dt=DT).network
    assert list(network.populations) == ["inner.lif"]
    assert {(o.population, o.mode) for o in network.outputs.values()} == {("inner.lif", "count")}


def test_the_comparison_can_fail(made):
    cases, everything = made
    other = replace(cases[1].network.projections["w"], weight=np.array([[0, -256, 0], [-254, 0, -256]]))
    changed = replace(cases[1].network, projections={"w": other})
    with pytest.raises(AssertionError, match=r"membrane of p at .* in the simulator, .* in Lava"):
        compare(cases[1], simulate(changed, cases[1].encoded), part(everything, "1/"))
