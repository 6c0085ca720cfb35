"""The models held against published chips: the files, events priced by hand, and the error that may be claimed."""

from math import sqrt

import pytest

from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.report.expected import silicon_figures
from dalif_deploy.hw_models.energy.silicon.comparison import Ratio, energy_ratios, models, time_ratios
from dalif_deploy.hw_models.energy.silicon.events import Events
from dalif_deploy.hw_models.energy.silicon.measurements import load_events, load_measurements, parse_measurement
from dalif_deploy.hw_models.energy.silicon.model_error import error_of, model_error
from dalif_deploy.hw_models.errors import UserError

EVENTS = Events(
    steps=4,
    synaptic_operations_dense=100,
    synaptic_operations_convolution=50,
    updates_active=10,
    updates_inactive=30,
    spikes=7,
    messages=5,
    messages_from_outside=3,
    hops_east_west=2,
    hops_north_south=1,
    busiest_operations=40,
    busiest_neurons=10,
)


def ratio(network, of, *, known=True, counts=True, run="a"):
    figures = {"measured": 1.0, "modelled": of, "low": of, "high": of}
    words = {"chip": "loihi1", "model": "m", "not_because": None if counts else "x86 cores"}
    return Ratio(network=network, run=run, known=known, counts=counts, **figures, **words)


def test_every_file_keeps_to_the_rules():
    events, found = load_events(), load_measurements()
    assert len(found) >= 13
    used = {run.events for m in found for run in m.runs} - {None}
    assert used == set(events)
    for m in found:
        assert m.runs and m.chip in ("loihi1", "loihi2")
        assert m.assumed or m.missing, m.name
        for run in m.runs:
            if m.source.read == "quoted by another":  # secondary: in no error
                assert m.source.trust == "S" and run.not_for_energy, (m.name, run.name)
                assert run.events is None or run.activity == "stated", (m.name, run.name)
            if run.events and run.activity == "not stated":
                assert events[run.events].low and events[run.events].high, run.name
                assert run.not_for_energy, run.name


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dynamic_watts = 1.0", "dynamic_of"),
        ("step_seconds = 1.0", "step_of"),
        ("joules = 1.0", "Extra inputs"),
        ('activity = "guessed"', "known"),
        ("dynamic_joules = -1.0", "greater than 0"),
    ],
)
def test_a_broken_file_is_refused(line, words):
    source = '[source]\nreference = "somebody 2020"\naddress = "github.com/x"\nread = "in full"\ntrust = "Q"\n'
    head = 'title = "t"\nchip = "loihi1"\nboard = "b"\nnetwork = "n"\nassumed = []\nmissing = []\n'
    activity = "" if line.startswith("activity") else 'activity = "known"\n'
    good = f'{head}{source}[[runs]]\nname = "r"\n{activity}'
    if activity:
        assert parse_measurement("x", good).runs[0].name == "r"
    with pytest.raises(UserError, match=words):
        parse_measurement("x", f"{good}{line}\n")


def test_price_of_events_by_hand():
    found = EVENTS.joules("loihi1_davies2018")
    by_hand = {
        "synaptic_operation": 150 * 23.6e-12,
        "neuron_update_active": 10 * 81e-12,
        "neuron_update_inactive": 30 * 52e-12,
        "spike_within_tile": 8 * 1.7e-12,
        "hop_east_west": 2 * 3.0e-12,
        "hop_north_south": 4.0e-12,
    }
    assert found == pytest.approx(by_hand)
    fitted = load_constants("loihi1_sanafe")
    terms = EVENTS.joules("loihi1_sanafe")
    assert terms["synaptic_operation_dense"] == pytest.approx(
        100 * fitted["synaptic_operation_dense"].interval("joule").value
    )
    assert terms["neuron_access"] == pytest.approx(40 * fitted["neuron_access"].interval("joule").value)


def test_each_network_is_predicted_from_the_others():
    """Ratios 1 and 4 (one network, mean 2), 0.5: the first by 1/0.5 = 2, the second by 1/2."""
    rows = [ratio("a", 1.0), ratio("a", 4.0, run="b"), ratio("b", 0.5)]
    found = error_of(rows, "dynamic energy", "m")
    assert (found.networks, found.runs) == (2, 3)
    assert [(one.network, one.calibration, one.factor) for one in found.left_out] == [
        ("a", pytest.approx(2), pytest.approx(8)),
        ("b", pytest.approx(0.5), pytest.approx(4)),
    ]
    assert found.factor == pytest.approx(8)
    assert found.calibration == pytest.approx(sqrt(0.5 * 2))
    assert (found.lowest, found.middle, found.highest, found.highest_run) == (0.5, 1.0, 4.0, "a: b")
    assert "within a factor 8.0 in 2 of 2 published networks" in found.sentence


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [ratio("a", 1.0), ratio("a", 2.0, run="b")],
        [ratio("a", 1.0), ratio("b", 2.0, known=False)],
        [ratio("a", 1.0), ratio("b", 2.0, counts=False)],
    ],
)
def test_no_error_is_claimed_from_less_than_two_known_networks(rows):
    found = error_of(rows, "dynamic energy", "m")
    assert found.factor is None and found.calibration is None and not found.left_out
    assert "no error is" in found.sentence


def test_loihi_1_has_an_error_and_loihi_2_has_none():
    one, two = (model_error("dynamic energy", chip, models(chip)[0]) for chip in ("loihi1", "loihi2"))
    assert one.factor is not None and 1 < one.factor < 3
    assert two.factor is None and "no error is claimed" in two.sentence
    modelled = Joules(mean=2.0, std=0.0, low=1.0, high=None, best=2.0, worst=2.0)
    energy = silicon_figures("loihi1", modelled, None).energy
    assert energy.range_from == "expected error"
    assert energy.value == pytest.approx(2 * one.calibration)
    assert (energy.low, energy.high) == pytest.approx((energy.value / one.factor, energy.value * one.factor))
    energy = silicon_figures("loihi2", modelled, None).energy
    assert (energy.range_from, energy.value, energy.low, energy.high) == ("spread of constants", 2.0, 1.0, None)


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_three_networks_are_rebuilt_on_each_generation(chip):
    rebuilt = {m.name for m in load_measurements() if m.chip == chip for run in m.runs if run.events}
    assert len(rebuilt) >= 3


@pytest.mark.parametrize("rate", [25, 50, 100])
def test_the_pair_of_neurons_fires_as_often_as_its_authors_say(rate):
    """`rate` spikes in a thousand steps by each of the two, and a message from the first to the second for each."""
    events = load_events()[f"lif_pair_{rate}"].value
    operations = events.synaptic_operations_dense + events.synaptic_operations_convolution
    assert events.messages * 1000 == operations * 1000 == pytest.approx(rate * events.steps)
    assert events.updates_active + events.updates_inactive == 2 * events.steps


def test_every_source_that_was_looked_for_says_what_it_lacks():
    from benchmarks.energy_error import looked_for

    found = looked_for()
    assert len(found) >= 20
    for source in found:
        assert set(source) == {"reference", "chip", "figures", "read", "lacks"}
        assert source["chip"] in ("loihi1", "loihi2") and all(source.values()), source["reference"]


def test_what_does_not_count_says_why_and_times_know_their_cores():
    for row in [*energy_ratios(), *time_ratios()]:
        assert row.low <= row.modelled <= row.high or row.modelled == pytest.approx(row.low)
        assert row.counts == (row.not_because is None)
    assert {row.chip for row in time_ratios()} == {"loihi1", "loihi2"}


def test_the_page_is_the_scripts():
    from pathlib import Path

    from benchmarks.energy_error import page

    assert (Path(__file__).parents[1] / "docs" / "energy-error.md").read_text(encoding="utf-8") == page()
