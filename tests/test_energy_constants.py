"""Constants: units, spread, and the refusals that keep incomparable figures apart."""

import numpy as np
import pytest

from dalif_deploy.hw_models.energy.constant_set import Constant, constant_names, load_constants, parse_constants
from dalif_deploy.hw_models.energy.models import PricedEvents, add_terms
from dalif_deploy.hw_models.energy.units import convert, readable
from dalif_deploy.hw_models.errors import UserError

GOOD = """
title = "a chip"
conditions = "none"
[constants.op]
value = 2.0
unit = "pJ"
scope = "per-term"
evidence = "assumed"
source = "made up for a test"
trust = "M"
"""


def constant(**fields):
    base = dict(value=23.6, unit="pJ", scope="per-term", evidence="simulated", source="Davies 2018", trust="Q2")
    return Constant(**{**base, **fields})


def test_every_set_on_file_loads():
    names = constant_names("")
    assert {"loihi1_davies2018", "cmos45_horowitz2014", "gpu_a100"} <= set(names)
    for name in names:
        assert load_constants(name).constants


def test_davies_table_2():
    loihi = load_constants("loihi1_davies2018")
    picojoules = {
        "synaptic_operation": 23.6,
        "neuron_update_active": 81,
        "neuron_update_inactive": 52,
        "spike_within_tile": 1.7,
    }
    for name, expected in picojoules.items():
        assert loihi[name].interval("joule").value == pytest.approx(expected * 1e-12, rel=1e-12)
        assert loihi[name].evidence == "simulated"
    assert loihi["synaptic_operation"].interval("J").high is None  # a minimum has no upper bound


def test_horowitz_mac_is_multiply_and_add():
    arithmetic = load_constants("cmos45_horowitz2014")
    assert arithmetic["fp32_accumulate"].value == 0.9
    assert arithmetic["fp32_mac"].value == pytest.approx(3.7 + 0.9)
    assert arithmetic["int8_mac"].low == pytest.approx(0.2 + 0.03)


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [(1, "pJ", "J", 1e-12), (3, "mW*s", "J", 3e-3), (104.4, "mW", "watt", 0.1044), (2, "GB/s", "byte/s", 2e9)],
)
def test_units(value, unit, to, expected):
    assert convert(value, unit, to) == pytest.approx(expected, rel=1e-12)


def test_a_power_is_no_energy():
    with pytest.raises(UserError, match="can't be converted"):
        constant(unit="pW").interval("joule")


def test_spread_adds_up_and_an_unknown_upper_end_stays_unknown():
    wide = PricedEvents("a", np.array([1, 3]), "wide", constant(value=2, low=1, high=4))
    point = PricedEvents("b", np.array([10, 10]), "point", constant(value=1))
    minimum = PricedEvents("c", np.array([1, 1]), "minimum", constant(value=5, low=5))
    total = add_terms([wide, point])
    assert [getattr(total, k) for k in ("mean", "std", "worst", "low", "high")] == pytest.approx(
        [14e-12, 2e-12, 16e-12, 12e-12, 18e-12]
    )
    assert add_terms([wide, minimum]).high is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value = 2.0", "value = -2.0", "greater than 0"),
        ("value = 2.0", "value = nan", "constants.op.value"),
        ("value = 2.0", "value = 2.0\nlow = 3.0", "between low and high"),
        ("value = 2.0", "value = 2.0\nhigh = 1.0", "between low and high"),
        ('scope = "per-term"', 'scope = "some"', "per-term"),
        ('scope = "per-term"', "", "required"),
        ('source = "made up for a test"', 'source = ""', "at least 8"),
        ('unit = "pJ"', 'unit = "pjoe"', "pjoe"),
        ('evidence = "assumed"', 'evidence = "obvious"', "simulated"),
        ("value = 2.0", "value = ", "TOML"),
        ('trust = "M"', 'trust = "M"\nvlaue = 3', "vlaue"),
    ],
)
def test_a_bad_constant_is_refused(old, new, message):
    assert parse_constants("good", GOOD)["op"].value == 2
    with pytest.raises(UserError, match=message):
        parse_constants("bad", GOOD.replace(old, new))


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UserError, match=r"choose one of .*loihi1_davies2018"):
        load_constants("loihi9")
    with pytest.raises(UserError, match="no constant 'hop'"):
        parse_constants("good", GOOD)["hop"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 J"), (1, "1.00 J"), (0.9999, "1.00 J"), (1.66e-3, "1.66 mJ"), (23.6e-12, "23.6 pJ"), (5e-15, "5.00 fJ")],
)
def test_readable(value, text):
    assert readable(value, "J") == text
