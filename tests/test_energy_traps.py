"""Known traps of published energy tables, each worked out by hand: the code can't step into them."""

import inspect
from dataclasses import replace
from typing import get_type_hints

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipNetwork, Population, Projection
from dalif_deploy.hw_models.energy import latency, loihi_sanafe, memory, models
from dalif_deploy.hw_models.energy.constant_set import Constant, load_constants
from dalif_deploy.hw_models.energy.counts import ActivityCounter, ActivityCounts, count_activity
from dalif_deploy.hw_models.energy.opponents import arithmetic, break_even
from dalif_deploy.hw_models.energy.report import build, comparisons, histograms
from dalif_deploy.hw_models.energy.report import counts as report_counts
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input

SYNAPSE = 23.6e-12  # Davies et al. 2018
ACCUMULATE = 0.9e-12  # 45 nm
FAN_OUT_IN, FAN_OUT = 5, 7  # of an input; of a hidden neuron, whose other 4 weights are zero


def network(steps=4):
    """4 inputs -> 5 neurons that fire whenever they get an event -> 11 that integrate, 7 synapses a source."""

    def population(name, size, **registers):
        values = {"dv": 0, "vth": 0, "bias_mant": 0, "bias_exp": 0, "du": 4095, **registers}
        fires = name != "out"
        return Population(name, (size,), fires=fires, **{key: np.array(value) for key, value in values.items()})

    weight = np.zeros((11, 5), int)
    weight[:FAN_OUT] = 2
    projections = [
        Projection("in-hidden", "in", "hidden", np.full((5, 4), 2)),
        Projection("hidden-out", "hidden", "out", weight),
    ]
    populations = [population("hidden", 5), population("out", 11, vth=131071)]
    return ChipNetwork(
        "loihi1",
        steps,
        {"in": ChipInput("in", (4,), "spikes")},
        {p.name: p for p in populations},
        {p.name: p for p in projections},
        {},
        {},
    )


def counted(rows=((1, 0, 0, 0),), steps=4):
    made = network(steps)
    return made, count_activity(made, encode_input(made, np.array(rows, dtype=float)))


def synaptic_joules(counts):
    (term,) = [t for t in models.loihi_energy(counts, "loihi1").terms if t.name == "synaptic operations"]
    return term.joules


def spiking_45nm(made, counts):
    rows = arithmetic.arithmetic_45nm(made, counts).rows
    return next(row.total for row in rows if (row.network, row.precision) == ("spiking", "fp32"))


# 26 pJ: TrueNorth's whole power over its synaptic events. Neurons, routing and leakage are in it.

TRUENORTH = Constant(value=26, unit="pJ", scope="all-in", evidence="measured", source="Merolla et al. 2014", trust="Q2")


@pytest.fixture
def truenorth(monkeypatch):
    """Loihi's table with its synaptic operation at TrueNorth's all-in price."""
    davies = load_constants("loihi1_davies2018")
    mixed = davies.model_copy(update={"constants": {**davies.constants, "synaptic_operation": TRUENORTH}})
    for module in (models, histograms):
        monkeypatch.setattr(module, "load_constants", lambda name: mixed)


@pytest.mark.parametrize("energy", [models.loihi_energy, histograms.sample_energy])
def test_truenorths_all_in_price_is_not_added_to_per_term_prices(energy, truenorth):
    with pytest.raises(UserError, match="synaptic_operation: an all-in constant can't be added to others"):
        energy(counted()[1], "loihi1")


def test_the_same_terms_without_it_are_summed():
    """What the refusal above refuses would have been these operations at 26 pJ beside neuron updates at 81 pJ."""
    counts = counted()[1]
    terms = models.loihi_terms(counts, load_constants("loihi1_davies2018"))
    by_hand = 4 * (FAN_OUT_IN + 5 * FAN_OUT) * SYNAPSE + 4 * (5 + 7) * 81e-12 + 4 * 4 * 52e-12 + 4 * (1 + 5) * 1.7e-12
    assert models.add_terms(terms).mean == pytest.approx(by_hand, rel=1e-12)
    assert models.joules_by_sample(terms) == pytest.approx([by_hand], rel=1e-12)


def test_alone_an_all_in_price_is_taken():
    """10 events of a TrueNorth: 260 pJ; with one term more, or twice, refused, whichever comes first."""
    events = models.PricedEvents("synaptic events", np.array([10]), "truenorth", TRUENORTH)
    davies = load_constants("loihi1_davies2018")
    update = models.PricedEvents("updates", np.array([10]), "neuron_update_active", davies["neuron_update_active"])
    assert models.add_terms([events]).mean == pytest.approx(260e-12)
    for terms in ([events, update], [update, events], [events, events]):
        for add in (models.add_terms, models.joules_by_sample):
            with pytest.raises(UserError, match="all-in"):
                add(terms)


# Spikes times 23.6 pJ: a spike costs that at each of its synapses.


def test_a_spike_costs_a_synaptic_operation_at_each_of_its_synapses():
    """4 steps: 1 input spike over 5 synapses, 5 spikes over 7 each. Zero weights cost nothing."""
    made, counts = counted()
    spikes_in, spikes = 4 * 1, 4 * 5
    operations = spikes_in * FAN_OUT_IN + spikes * FAN_OUT
    assert operations == 160
    assert synaptic_joules(counts).mean == pytest.approx(operations * SYNAPSE, rel=1e-12)
    assert synaptic_joules(counts).mean > 6 * (spikes_in + spikes) * SYNAPSE  # what the trap would have said
    assert spiking_45nm(made, counts).mean == pytest.approx(operations * ACCUMULATE, rel=1e-12)


def test_more_synapses_a_spike_cost_more_at_the_same_spikes():
    made, counts = counted()
    made.projections["hidden-out"].weight[:] = 2  # all 11
    more = count_activity(made, encode_input(made, np.array([[1.0, 0, 0, 0]])))
    assert more.spikes().tolist() == counts.spikes().tolist() == [20]
    added = synaptic_joules(more).mean - synaptic_joules(counts).mean
    assert added == pytest.approx(20 * 4 * SYNAPSE, rel=1e-9)


def test_nothing_that_prices_takes_a_number_of_spikes():
    """Energies are made of ActivityCounts; ActivityCounter fills them from a recording and the network's weights."""
    pricing = []
    for module in (
        models,
        loihi_sanafe,
        arithmetic,
        break_even,
        memory,
        build,
        comparisons,
        report_counts,
        histograms,
        latency,
    ):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                hints = get_type_hints(function)
                given = {key: hint for key, hint in hints.items() if key != "return"}
                if ActivityCounts in given.values():
                    pricing.append(name)
                numbers = {key for key, hint in given.items() if hint in (np.ndarray, float)}
                assert not numbers, f"{module.__name__}.{name} takes {numbers}"
    assert {"loihi_energy", "sanafe_energy", "arithmetic_45nm", "break_even", "sample_energy"} <= set(pricing)
    assert set(inspect.signature(ActivityCounter).parameters) == {"network", "steps", "mapping"}
    assert set(inspect.signature(ActivityCounter.add).parameters) == {"self", "encoded", "recording"}


# The rate applied twice, or the steps: counts hold both already.


def test_twice_the_spikes_cost_twice():
    made, once = counted([(1, 0, 0, 0)])
    _, twice = counted([(1, 1, 0, 0)])
    projection = "in-hidden"
    operations = [c.projections[projection].synaptic_operations.tolist() for c in (once, twice)]
    assert operations == [[20], [40]]
    for energy in (lambda c: synaptic_joules(c).mean, lambda c: spiking_45nm(made, c).mean):
        price = energy(once) / 160  # hidden neurons fire at every event: their 140 operations stay
        assert energy(twice) == pytest.approx(180 * price, rel=1e-12)


def test_energy_is_linear_in_the_counts():
    made, counts = counted()
    double = replace(
        counts,
        projections={
            name: replace(p, messages=2 * p.messages, synaptic_operations=2 * p.synaptic_operations)
            for name, p in counts.projections.items()
        },
    )
    assert synaptic_joules(double).mean == pytest.approx(2 * synaptic_joules(counts).mean, rel=1e-12)
    assert spiking_45nm(made, double).mean == pytest.approx(2 * spiking_45nm(made, counts).mean, rel=1e-12)


def test_steps_are_in_the_counts_and_nowhere_else():
    """Twice the steps at the same rate: twice the operations, twice their energy, the same rate."""
    _, short = counted(steps=4)
    longer, long = counted(steps=8)
    assert (short.synaptic_operations().item(), long.synaptic_operations().item()) == (160, 320)
    assert synaptic_joules(long).mean == pytest.approx(320 * SYNAPSE, rel=1e-12)
    assert spiking_45nm(longer, long).mean == pytest.approx(320 * ACCUMULATE, rel=1e-12)
    for counts in (short, long):
        layer = report_counts.count_figures(counts).layers[0]
        assert layer.spikes_a_neuron_and_step == 1


def test_the_rate_of_a_break_even_is_applied_once():
    """20 operations of the input stay, 140 of the hidden layer grow: (75 * 4.6 - 20 * 0.9) / (140 * 0.9) times."""
    made, counts = counted()
    row = break_even.break_even(made, counts).rows[0]
    factor = ((20 + 55) * 4.6 - 20 * 0.9) / (140 * 0.9)
    assert row.factor.low == row.factor.high == pytest.approx(factor, rel=1e-12)
    assert row.rate.low == pytest.approx(factor * 1.0, rel=1e-12)


def test_a_published_slip_of_1000_is_not_repeated():
    """30.7 million operations at 23.6 pJ are 724.52 microjoule; a published table says 724 nJ."""
    synapse = load_constants("loihi1_davies2018")["synaptic_operation"]
    term = models.PricedEvents("synaptic operations", np.array([30_700_000]), "synaptic_operation", synapse)
    assert models.add_terms([term]).mean == pytest.approx(724.52e-6, rel=1e-12)
    assert readable(models.add_terms([term]).mean, "J") == "725 µJ"
