"""Target and engine c: the generated code against the slow chip, the batched simulator and the sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from dalif_deploy.converters.c.compiler import WARNINGS
from dalif_deploy.converters.c.footprint import connections, footprint
from dalif_deploy.converters.c.generate import SOURCES, write_sources
from dalif_deploy.converters.c.make_plan import plan_c
from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.converters.c.state import state_size
from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipOutput, Geometry, HostProjection, Projection
from dalif_deploy.hw_models.errors import CheckFailed, UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests import c_program, scalar_chip
from tests import lava_networks as nets
from tests.chip_networks import chip, population, random_network
from tests.differential import merged, sessions
from tests.fuzz_c import Tally, fuzz
from tests.fuzz_case import Case
from tests.test_decision_rule import check_readings, reading_network

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
SMALL = ("-O1",)  # the networks are tiny: what takes time is their compilation
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def require_equal(expected, got):
    for kind in ("spikes", "membrane", "outputs"):
        assert getattr(expected, kind).keys() == getattr(got, kind).keys()
        for name, values in getattr(expected, kind).items():
            np.testing.assert_array_equal(values, getattr(got, kind)[name], err_msg=f"{kind} of {name}")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", nets.NETWORKS)
def test_c_equals_the_equations(name, fast):
    network, encoded = nets.NETWORKS[name]()
    built = CNetwork(network, bias_inputs=encoded.bias, fast=fast, flags=SMALL, cache=False)
    require_equal(nets.scalar_reference(network, encoded), built.run(encoded, threads=2))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", nets.NETWORKS)
def test_no_warnings(name, fast, tmp_path):
    network, encoded = nets.NETWORKS[name]()
    write_sources(plan_c(network, bias_inputs=encoded.bias, fast=fast), tmp_path, SOURCES, title=name)
    command = ["cc", *WARNINGS, "-Werror", "-O1", "-c", "network.c", "constants.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_random_networks_have_the_simulators_bits():
    tally = Tally()
    fuzz(tally, networks=40, seed=None, parts=20, builds=((False, ("-O0",)), (True, ("-O0",))))
    assert tally.ran >= 40 and tally.fired >= 25 and tally.slow_chip >= 10


def random_cases(parts: int, number: int) -> list[Case]:
    """Networks that have steps and samples in common."""
    found: list[list[Case]] = []

    @seed(number)
    @settings(
        max_examples=3, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(sessions(parts))
    def draw(drawn):
        found.append([case for case in drawn if isinstance(case, Case)])

    draw()
    return max(found, key=len)


@pytest.mark.parametrize("fast", [False, True])
def test_sanitizers_find_nothing(fast, tmp_path):
    cases = random_cases(8, 7 + fast)
    assert len(cases) >= 4
    network, encoded = merged(cases)
    plan = plan_c(network, encoded.steps, encoded.bias, fast=fast)
    c_program.write_program(plan, encoded, tmp_path)
    said = c_program.said([str(c_program.build(tmp_path, ["cc", *SANITIZERS], "host"))])
    assert said.crc == c_program.expected_crc(plan, simulate(network, encoded))
    assert said.bytes == state_size(plan, pointer=8)


def test_sanitizers_would_find_it(tmp_path):
    """A signed sum that overflows and an index beyond its array, planted."""
    network, encoded = nets.dense_network()
    plan = plan_c(network)
    c_program.write_program(plan, encoded, tmp_path)
    source = tmp_path / "network.c"
    whole = source.read_text()
    for right, wrong in (
        ("const int32_t v = ", "const int32_t v = INT32_MAX + 1 * (int32_t)channel + "),
        ("first[SNN_HIDDEN_PLACES] =", "first[SNN_HIDDEN_PLACES + 100000] ="),
    ):
        assert right in whole
        source.write_text(whole.replace(right, wrong))
        program = c_program.build(tmp_path, ["cc", *SANITIZERS], "host")
        assert subprocess.run([program], capture_output=True).returncode != 0


def test_a_planted_fault_shows():
    network, encoded = nets.conv_network()
    projection = network.projections["1: wide->plain"]
    weight = projection.weight.copy()
    weight[0, 0, 0, 0] += 60
    faulty = replace(network, projections=network.projections | {projection.name: replace(projection, weight=weight)})
    with pytest.raises(AssertionError, match="plain"):
        require_equal(simulate(network, encoded), CNetwork(faulty, flags=SMALL, cache=False).run(encoded))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_every_decision_rule(number, fast):
    network, encoded = reading_network(number)
    whole = simulate(network, encoded)
    got = CNetwork(network, fast=fast, flags=SMALL, cache=False).run(encoded, ())
    check_readings(got, whole, network)
    require_equal(simulate(network, encoded, record=()), got)


@pytest.mark.parametrize("fast", [False, True])
def test_several_spikes_of_a_step_are_read_as_many(fast):
    """Outputs and counts of neurons that fire several times a step, against the records of the slow chip."""
    network, encoded = nets.several_spikes_network()
    kept = [(mode, over) for mode in ("count", "membrane_before_reset") for over in ("sum", "last", "max")]
    outputs = [ChipOutput(f"{mode} {over}", "many", mode, over) for mode, over in kept]
    outputs += [ChipOutput("capped", "capped", "count", "sum")]
    network = replace(network, outputs={output.name: output for output in outputs})
    spikes, membranes = scalar_chip.run(network, encoded)
    many, capped = spikes["many"], spikes["capped"]
    assert many.max() > 3 == capped.max() and many[:, -1].max() > 1
    before = membranes["many"] + many * (40 << 6)
    got = CNetwork(network, fast=fast, flags=SMALL, cache=False).run(encoded, ("spikes", "counts"))
    for name, expected in {
        "count sum": many.sum(1),
        "count last": many[:, -1],
        "count max": many.max(1) > 0,
        "membrane_before_reset sum": before.sum(1),
        "membrane_before_reset last": before[:, -1],
        "membrane_before_reset max": before.max(1),
        "capped": capped.sum(1),
    }.items():
        np.testing.assert_array_equal(got.outputs[name], expected, err_msg=name)
    for name, fired in spikes.items():
        np.testing.assert_array_equal(got.spikes[name], fired)
        np.testing.assert_array_equal(got.counts[name], fired.sum(1))


def test_a_sum_over_many_steps_has_64_bits():
    """A membrane has 24 bits: 255 of them fit 32 bits whatever they are."""
    for steps, ctype in ((200, "int32_t"), (600, "int64_t")):
        readout = population("readout", (2,), dv=0, vth=131071, mant=4095, exp=7, fires=False)
        network = chip([], [readout], [], steps=steps, outputs=[ChipOutput("out", "readout", "membrane", "sum")])
        encoded = EncodedInput(steps, 1)
        built = CNetwork(network, flags=SMALL, cache=False)
        assert [output.ctype for output in built.plan.outputs] == [ctype]
        expected = simulate(network, encoded)
        assert (expected.outputs["out"].max() > 2**31) == (steps == 600)
        require_equal(expected, built.run(encoded))


def host_network(kind: str, offset: float):
    """A layer that the host computes (a convolution with groups, one along a line, a dense one), and a spiking one."""
    rng = np.random.default_rng(5)
    geometry, shape, target, kernel = {
        "planar": (Geometry((2, 1), (1, 2), (1, 2), 2), (4, 7, 6), (6, 4, 6), (2, 3, 3)),
        "line": (Geometry((2,), (1,), (1,)), (3, 9), (5, 5), (3, 3)),
        "dense": (None, (2, 3, 4), (3, 2, 5), (24,)),
    }[kind]
    outs = target[0] if geometry else int(np.prod(target))
    weight = rng.normal(0, 900, (outs, *kernel))
    host = HostProjection("host", "x", "first", weight, np.full(outs, offset), geometry)
    first = population("first", target, dv=1000, vth=60)
    onward = rng.integers(-99, 99, (3, int(np.prod(target)))).astype(np.int16)
    into = Projection("into", "first", "last", onward, 0, None)
    last = population("last", (3,), dv=100, vth=131071, fires=False)
    outputs = [ChipOutput("out", "last", "membrane"), ChipOutput("rate", "first", "count")]
    network = chip([ChipInput("x", shape, "bias")], [first, last], [into], outputs=outputs)
    network.host_projections["host"] = host
    return network, rng.normal(0, 1, (9, *shape))


@pytest.mark.parametrize("kind", ["planar", "line", "dense"])
def test_c_computes_the_hosts_layers_to_the_bit(kind, monkeypatch):
    network, data = host_network(kind, 0.25)
    data[3] = 0  # a bias of a quarter everywhere
    assert encode_input(network, data).bias["first"][1].max() >= 1  # exponents are needed
    built = CNetwork(network, flags=SMALL, cache=False)
    expected = simulate(network, encode_input(network, data))
    monkeypatch.setattr("dalif_deploy.converters.c.run.encode_input", only_without_host(encode_input))
    require_equal(expected, built.run_data(data, threads=2))


def only_without_host(encode):
    def encode_samples(*arguments, host=True, **more):
        assert not host, "C was in doubt"
        return encode(*arguments, host=host, **more)

    return encode_samples


@pytest.mark.parametrize("kind", ["planar", "line", "dense"])
def test_a_host_sum_at_a_half_is_left_to_the_encoding(kind):
    """Halves and the ends of mantissas, where the order of summation would decide, and what does not fit."""
    network, data = host_network(kind, 0.0)
    host = network.host_projections["host"]
    host.weight[:] = 0
    built = CNetwork(network, flags=SMALL, cache=False)
    for bias in (0.5, -1.5, 4095.5, -4096.5, 8191.0, 4095.4999999999995, 2.0**19 - 64.5):
        host.bias[:] = bias
        built = CNetwork(network, flags=SMALL, cache=False)
        require_equal(simulate(network, encode_input(network, data)), built.run_data(data))
    host.bias[:] = 2.0**20
    with pytest.raises(UserError, match="host: "):
        CNetwork(network, flags=SMALL, cache=False).run_data(data)
    data[0].flat[0] = np.nan
    host.bias[:], host.weight[:] = 1, 1
    with pytest.raises(UserError, match="host: "):
        CNetwork(network, flags=SMALL, cache=False).run_data(data)


def test_counts_and_only_what_is_asked_for():
    network, encoded = random_network(np.random.default_rng(3))
    built = CNetwork(network, flags=SMALL, cache=False)
    expected = simulate(network, encoded, record=("counts",))
    got = built.run(encoded, ("counts",))
    assert not got.spikes and not got.membrane
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(got.counts[name], counts)
    assert built.run(encoded.part(slice(0)), ("spikes",)).spikes["first"].shape[0] == 0


def test_a_readout_between_threshold_and_clip_fires_as_on_the_chip():
    """Its membrane cannot reach the clip, but lies one above even the highest threshold."""
    highest = 131071
    readout = population("readout", (1,), dv=0, vth=highest, mant=1, fires=False)
    top = highest // 255
    network = chip(
        [ChipInput("x", (1,), "graded", 1.0, 0, top), ChipInput("y", (1,), "graded", 1.0, 0, highest - 255 * top)],
        [readout],
        [Projection(s, s, "readout", np.array([[w]], np.int16), 0, None) for s, w in (("x", 255), ("y", 1))],
        steps=1,
        outputs=[ChipOutput("out", "readout", "membrane")],
    )
    encoded = EncodedInput(
        1, 2, {"x": np.array([[[top]], [[3]]], np.int32), "y": np.array([[[highest - 255 * top]], [[0]]], np.int32)}
    )
    spikes, membrane = scalar_chip.run(network, encoded)
    assert spikes["readout"].ravel().tolist() == [1, 0] and membrane["readout"].ravel().tolist() == [
        0,
        3 * 255 * 64 + 1,
    ]
    for got in (CNetwork(network, flags=SMALL, cache=False).run(encoded), simulate(network, encoded)):
        np.testing.assert_array_equal(got.membrane["readout"], membrane["readout"])
        np.testing.assert_array_equal(got.spikes["readout"], spikes["readout"])


def test_two_numberings_of_one_layers_neurons_are_refused():
    first = Projection("a", "x", "p", np.ones((2, 1, 1, 1), np.int16), 0, Geometry((1, 1), (0, 0), (1, 1)))
    second = Projection("b", "w", "p", np.ones((4, 1, 1), np.int16), 0, Geometry((1,), (0,), (1,)))
    inputs = [ChipInput("x", (1, 2, 3), "spikes"), ChipInput("w", (1, 3), "spikes")]
    with pytest.raises(UserError, match="p: two convolutions"):
        plan_c(chip(inputs, [population("p", (12,))], [first, second]))


def test_operations_are_those_of_every_synapse():
    for number in range(4):
        network, _ = random_network(np.random.default_rng(number))
        plan = plan_c(network)
        for part in plan.parts:
            projection = next(
                p
                for p in network.incoming(part.target_name)
                if p.source == part.source.name and p.delay == part.synapses.delay
            )
            ones = replace(projection, weight=np.ones_like(projection.weight))
            shapes = network.source_shape(projection.source), network.populations[projection.target].shape
            assert connections(part) == len(list(scalar_chip.synapses(ones, *shapes)))


def test_what_does_not_fit_is_said():
    from dalif_deploy.converters.c.footprint import check_footprint

    needs = footprint(plan_c(nets.conv_network()[0]))
    check_footprint(needs, ram=needs.state + needs.stack, flash=needs.constants + needs.code)
    with pytest.raises(CheckFailed, match=r"does not fit: .* of RAM"):
        check_footprint(needs, ram=needs.state + needs.stack - 1)
    with pytest.raises(CheckFailed, match=r"does not fit: .* of flash"):
        check_footprint(needs, flash=needs.constants + needs.code - 1)
