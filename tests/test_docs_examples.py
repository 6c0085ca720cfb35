"""What the docs state about the arithmetic and about extending it, held against the code."""

import re
import runpy
from pathlib import Path

import nir
import numpy as np
import pytest

from tests import nir_networks, scalar_chip

DOCS = Path(__file__).parents[1] / "docs"


def two_layers():
    rng = np.random.default_rng(0)
    return nir_networks.chain(
        ("input", nir.Input({"input": np.array([4])})),
        ("fc1", nir.Linear(rng.normal(size=(6, 4)))),
        ("one", nir_networks.lif((6,))),
        ("fc2", nir.Linear(rng.normal(size=(3, 6)))),
        ("two", nir_networks.lif((3,))),
        ("output", nir.Output({"output": np.array([3])})),
    )


@pytest.fixture(scope="module")
def drawing():
    return runpy.run_path(str(DOCS / "draw_arithmetic.py"))


def test_pictures_are_what_the_code_draws(drawing):
    for name, draw in drawing["PICTURES"].items():
        assert (DOCS / name).read_text(encoding="utf-8") == draw(), f"run docs/draw_arithmetic.py: {name}"


def worked_example():
    rows = re.findall(r"^\| (\d) \| ([01]) \|.*\| (-?\d+)(?: \(reset.*\))? \| (1?) ?\|$", _page("arithmetic.md"), re.M)
    return [[int(value or 0) for value in row] for row in rows]


def test_the_worked_example_is_what_simulator_and_slow_chip_do(drawing):
    steps, spikes_in, membrane, spikes = np.array(worked_example()).T
    assert list(steps) == list(range(len(steps))) and len(steps) == 7 and spikes.sum() == 1
    assert list(spikes_in) == list(drawing["EXAMPLE_INPUT"])
    np.testing.assert_array_equal(drawing["example"](), [membrane, spikes])
    v = 0
    for arrived, after, fired in zip(spikes_in, membrane, spikes, strict=True):
        v = scalar_chip.trunc_decay(v, 4096 - 1024) + 60 * 64 * int(arrived) - 60
        assert (v > 6400) == fired
        v = 0 if fired else v
        assert v == after


def _page(name):
    return (DOCS / name).read_text(encoding="utf-8")
