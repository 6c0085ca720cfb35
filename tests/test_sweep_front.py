"""The front of a sweep against a search of all pairs, and the words of --sweep."""

from typing import get_args

import numpy as np
import pytest

from dalif_deploy.exploration.front import mark_front
from dalif_deploy.exploration.grid import SCALE_GROUPS, grid, parse_sweep
from dalif_deploy.hw_models.compiler.scale_problem import GroupName
from dalif_deploy.hw_models.errors import UserError


def random_point(rng, chip):
    def figure():
        low = int(rng.integers(1, 4))  # few values: ties, and points that differ in one figure only
        return {"low": low, "mean": low, "high": None if rng.random() < 0.3 else low + int(rng.integers(0, 3))}

    latency = int(rng.integers(1, 4))
    return {
        "settings": {},
        "status": "does not fit" if rng.random() < 0.1 else "done",
        "chip": chip,
        "host": None if rng.random() < 0.8 else {"joules": 1.0},
        "accuracy": int(rng.integers(0, 4)) / 4,
        "energy": {"total": figure()},
        "energy_sanafe": {"total": figure()} if chip == "loihi1" else None,
        "latency": {"alone": {"low": latency, "mean": latency, "high": latency + int(rng.integers(0, 2))}},
        "cores": int(rng.integers(1, 4)),
    }


def beats(a, b):
    """Written out: a is nowhere worse than b and somewhere better."""
    worse = better = False

    def hold(x, y):  # smaller is better; None is without bound
        nonlocal worse, better
        if x is None:
            worse |= y is not None
        elif y is None or x < y:
            better = True
        elif x > y:
            worse = True

    hold(-a["accuracy"], -b["accuracy"])
    hold(a["cores"], b["cores"])
    for end in ("low", "high"):
        hold(a["latency"]["alone"][end], b["latency"]["alone"][end])
        hold(a["energy"]["total"][end], b["energy"]["total"][end])
        if a["energy_sanafe"]:
            hold(a["energy_sanafe"]["total"][end], b["energy_sanafe"]["total"][end])
    return better and not worse


@pytest.mark.parametrize("seed", range(20))
def test_front_is_what_no_pair_excludes(seed):
    rng = np.random.default_rng(seed)
    points = [random_point(rng, ("loihi1", "loihi2")[i % 2]) for i in range(60)]
    marked = mark_front(points)
    for point, found in zip(points, marked, strict=True):
        if point["status"] != "done":
            assert found["on_front"] is None
            continue
        rivals = [
            other
            for other in points
            if other["status"] == "done"
            and other["chip"] == point["chip"]
            and (other["host"] is None) == (point["host"] is None)
        ]
        assert found["on_front"] is not any(beats(other, point) for other in rivals)
    told = [point["on_front"] for point in marked if point["on_front"] is not None]
    assert 0 < sum(told) < len(told)


def test_words_are_values_in_the_order_given():
    values = parse_sweep(["weight-bits=4,6,8", "chip=loihi2,loihi1,loihi2"])
    assert values == {"weight-bits": [4, 6, 8], "chip": ["loihi2", "loihi1"]}
    points = grid(values)
    assert len(points) == 6 and points[1] == {"weight-bits": 4, "chip": "loihi1"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("bits=4", "unknown key 'bits'; choose weight-bits, steps, chip, scale-group, input"),
        ("weight-bits=9", "--sweep weight-bits: unknown value '9'; choose whole numbers from 1 to 8"),
        ("weight-bits=4,", "unknown value ''"),
        ("steps=0", "choose whole numbers from 1"),
        ("steps=1.5", "unknown value '1.5'"),
        ("chip=loihi3", "choose loihi1, loihi2"),
        ("scale-group=row", "choose layer, channel"),
        ("input=sound", "choose spikes, bias, graded"),
        ("steps", "'steps' is not KEY=VALUE,VALUE"),
    ],
)
def test_a_bad_word_is_told_with_the_good_ones(word, said):
    with pytest.raises(UserError) as error:
        parse_sweep([word])
    assert said in str(error.value) and "\n" not in str(error.value)


def test_scale_groups_are_the_compiler_s():
    assert get_args(GroupName) == SCALE_GROUPS


def test_a_key_given_twice_is_refused():
    with pytest.raises(UserError, match="given twice"):
        parse_sweep(["steps=1", "steps=2"])
