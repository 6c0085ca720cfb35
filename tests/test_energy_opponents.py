"""Fair opponents and break-even rates, worked out by hand and by counting again at another rate."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from dalif_deploy.hw_models.chip_network.form import Projection
from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.opponents.arithmetic import activation_bits, activation_constant, arithmetic_45nm
from dalif_deploy.hw_models.energy.opponents.break_even import break_even
from dalif_deploy.hw_models.energy.report import energy_report
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.reports.opponents_table import print_opponents
from tests.test_energy_models import make_network, run


def at_steps(steps, mode="spikes", rows=((1, 0, 0, 0),)):
    network = make_network(mode, steps=steps)
    return network, count_activity(network, encode_input(network, np.array(rows, dtype=float)))


def quantised(network, counts):
    (row,) = [r for r in arithmetic_45nm(network, counts).rows if r.network == "quantised ReLU network"]
    return row


@pytest.mark.parametrize("steps", [*range(1, 40), 127, 128, 255, 256])
def test_activations_hold_every_spike_count(steps):
    """T + 1 counts: enough bits, and not one too many."""
    assert 2 ** activation_bits(steps) >= steps + 1 > 2 ** (activation_bits(steps) - 1)
    assert activation_bits(steps) == int(np.ceil(np.log2(steps + 1)))


@pytest.mark.parametrize(
    ("steps", "constant"),
    [(1, "int8_accumulate"), (2, "int8_mac_fewer_bits"), (127, "int8_mac_fewer_bits"), (128, "int8_mac"), (256, None)],
)
def test_a_width_without_a_constant_gets_bounds_or_nothing(steps, constant):
    assert activation_constant(steps) == constant


def test_bounds_are_the_addition_alone_and_an_8_bit_mac():
    arithmetic = load_constants("cmos45_horowitz2014")
    bounds = arithmetic["int8_mac_fewer_bits"]
    assert (bounds.low, bounds.high) == (arithmetic["int8_accumulate"].low, arithmetic["int8_mac"].value)
    assert bounds.evidence == "assumed" and "no constant" in bounds.note


def test_quantised_opponent_by_hand():
    """35 MACs of one pass: 4 steps make 3 bits."""
    row = quantised(*at_steps(4))
    assert row.activation_bits == 3 and "no constant for 8 by 3 bits" in row.bounds_because
    assert [row.total.low, row.total.high] == pytest.approx([35 * 0.03e-12, 35 * 0.3e-12])
    one_bit = quantised(*at_steps(1))
    assert one_bit.bounds_because is None and one_bit.total.mean == pytest.approx(35 * 0.1e-12)
    graded = quantised(*at_steps(1, "graded", [(3, 0, 7, 0)]))  # 20 MACs of levels, 15 of single bits
    assert graded.total.mean == pytest.approx((20 * 0.3 + 15 * 0.1) * 1e-12)
    host = quantised(*at_steps(1, "bias", [(3, 0, 7, 0)]))
    assert host.total.mean == graded.total.mean


def test_the_sentence_says_who_costs_less():
    """35 MACs of 0.3 pJ (0.23) against accumulates of 0.1 pJ (0.03)."""
    network, encoded, counts = run("spikes", rows=[(1, 0, 0, 0)])

    def sentence(counts):
        arithmetic = arithmetic_45nm(network, counts)
        console = Console(file=StringIO(), width=300)
        report = energy_report(network, encoded, counts, measured=[])
        print_opponents(report.model_copy(update={"arithmetic_45nm": arithmetic}), console)
        assert arithmetic.against_int8() in console.file.getvalue()
        return arithmetic.against_int8()

    # 20 accumulates of the input stay, 60 of the own spikes are scaled: 2, 11 and 32 pJ in all (0.6, 3.3, 9.6)
    assert "the int8 ReLU network would not have cost less: 10.5 pJ" in sentence(scaled(counts, 0))
    both = sentence(scaled(counts, 1.5))
    assert both == (
        "In bare 8-bit arithmetic the width of the adder decides whether the int8 ReLU network costs less: 10.5 pJ "
        "(8.05 pJ with 8-bit sums) a sample in one dense pass, the spiking network 11.0 pJ (3.30 pJ with 8-bit sums)."
    )
    assert "the int8 ReLU network would have cost less: 10.5 pJ" in sentence(scaled(counts, 5))


def test_beyond_8_bits_the_report_says_that_no_constant_exists():
    network, counts = at_steps(256)
    arithmetic = arithmetic_45nm(network, counts)
    assert {row.network for row in arithmetic.rows} == {"spiking", "ReLU network"}
    assert any("9-bit activations: no constant beyond 8 bits" in text for text in arithmetic.not_included)
    assert {row.opponent for row in break_even(network, counts).rows} == {"ReLU network"}


def scaled(counts, factor):
    """What would be counted if every neuron of the network fired `factor` times as often."""
    return replace(
        counts,
        projections={
            name: replace(p, synaptic_operations=p.synaptic_operations * (1 if p.source == "in" else factor))
            for name, p in counts.projections.items()
        },
    )


@pytest.mark.parametrize(
    ("mode", "values"), [("spikes", (1, 0, 0, 0)), ("graded", (3, 0, 0, 0)), ("bias", (3, 0, 0, 0))]
)
def test_at_the_break_even_both_networks_cost_the_same(mode, values):
    network, counts = at_steps(4, mode, [values, (0, 0, 0, 0)])
    found = break_even(network, counts)
    compared = 0
    for row in found.rows:
        if row.opponent != "ReLU network" or not row.host_included or not row.factor.low:
            continue
        # each end of the 8-bit range is one width of adder, on both sides
        ends = {"fp32": ["mean"], "int8": ["mean", "low"]}[row.precision]
        equal = []
        for end in ends:
            for factor in (row.factor.low, row.factor.high):
                rows = arithmetic_45nm(network, scaled(counts, factor)).rows
                joules = {r.network: getattr(r.total, end) for r in rows if r.precision == row.precision}
                equal.append(joules["spiking"] == pytest.approx(joules["ReLU network"], rel=1e-9))
        assert sum(equal) >= len(ends)
        compared += 1
    assert compared == {"spikes": 2, "graded": 2, "bias": 1}[mode]


def row_of(found, opponent, precision, host=True):
    (row,) = [
        r
        for r in found.rows
        if r.opponent.startswith(opponent) and r.precision == precision and r.host_included == host
    ]
    return row


def test_ranges_pair_one_adder_with_itself():
    """4 steps, 80 accumulates at a, 20 of them the input's; 35 MACs at m: (35 m - 20 a) / 60 a."""
    found = break_even(*at_steps(4))
    row = row_of(found, "ReLU", "int8")
    ends = sorted((35 * mac - 20 * add) / (60 * add) for mac, add in ((0.3, 0.1), (0.23, 0.03)))
    assert [row.factor.low, row.factor.high] == pytest.approx(ends)
    bounds = row_of(found, "quantised", "int8")  # from the addition alone: 15 / 60, whatever the adder
    assert [bounds.factor.low, bounds.factor.high] == pytest.approx([15 / 60, ends[1]])
    assert bounds.verdict.startswith("open at the measured rate")
    assert found.spikes_a_neuron_and_step == 1  # of the 5 that can fire; the readout can't
    assert found.status.startswith("modelled")


def test_verdicts():
    found = break_even(*at_steps(4))
    assert row_of(found, "ReLU", "fp32").verdict == "wins at any rate: no neuron fires more than once a step"
    loses = break_even(*at_steps(20))
    assert row_of(loses, "ReLU", "fp32").verdict == "loses at the measured rate"
    never = row_of(break_even(*at_steps(4, "graded", [(3, 7, 7, 7)])), "ReLU", "fp32")
    assert never.verdict == "never wins: its input alone costs more"
    assert (never.factor.low, never.factor.high) == (0, 0)


def test_the_hosts_layer_is_left_out_on_both_sides_or_on_neither():
    """20 float MACs on the host; 15 MACs against 60 accumulates on the chip."""
    found = break_even(*at_steps(4, "bias", [(3, 0, 7, 0)]))
    assert row_of(found, "ReLU", "int8").verdict == "never wins: the host, in float, alone costs more"
    apart = row_of(found, "ReLU", "int8", host=False)
    assert [apart.factor.low, apart.factor.high] == pytest.approx([15 * 3 / 60, 15 * 0.23 / 0.03 / 60])
    # in float the host's layer is the same on both sides
    assert row_of(found, "ReLU", "fp32").factor.low == pytest.approx(15 * 4.6 / (60 * 0.9))
    assert [row.precision for row in found.rows if not row.host_included] == ["int8", "int8"]


def test_where_there_is_none_the_reason_is_given():
    network, counts = at_steps(4)
    silent = break_even(*at_steps(4, rows=[(0, 0, 0, 0)]))
    assert silent.rows == [] and "no spike" in silent.none_because
    network.projections["loop"] = Projection("loop", "hidden", "hidden", np.ones((5, 5), int), delay=1)
    assert "loops" in break_even(network, counts).none_because


def test_terminal_says_at_most_modelled_and_why():
    network, encoded, counts = run("bias", rows=[(3, 0, 1, 0)])
    out = StringIO()
    report = energy_report(network, encoded, counts, measured=[], cpu_not_measured="no counter here")
    print_opponents(report, Console(file=out, width=200))
    text = out.getvalue()
    for words in (
        "Break-even [modelled, arithmetic only]",
        "never wins: the host, in float, alone costs more",
        "host's layers left out on both sides",
        "at most",
        "no constant for 8 by 3 bits",
        "this machine's processor: not measured: no counter here",
    ):
        assert words in text


def test_at_the_break_even_steps_both_networks_cost_the_same():
    """4 steps, 80 accumulates: 20 a step, so 35 MACs are met at 35 m / 20 a; the input comes with its steps."""
    row = row_of(break_even(*at_steps(4)), "ReLU", "fp32")
    assert [row.steps.low, row.steps.high] == pytest.approx([35 * 4.6 / (20 * 0.9)] * 2)
    ends = sorted(35 * mac / (20 * add) for mac, add in ((0.3, 0.1), (0.23, 0.03)))
    row = row_of(break_even(*at_steps(4)), "ReLU", "int8")
    assert [row.steps.low, row.steps.high] == pytest.approx(ends)
    loses = row_of(break_even(*at_steps(20)), "ReLU", "fp32")
    assert loses.steps.high < 20
