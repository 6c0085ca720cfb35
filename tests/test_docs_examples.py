"""What the docs state about the arithmetic and about extending it, held against the code."""

import ast
import re
import runpy
from pathlib import Path

import nir
import numpy as np
import pytest

import dalif_deploy.converters.targets
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.source import source_of_graph
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


def test_the_target_of_the_how_to_page_works(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", _page("howto/add-a-target.md"), re.S).group(1)
    names = {}
    exec(compile(ast.parse(code), "add-a-target.md", "exec"), names)
    monkeypatch.setitem(dalif_deploy.converters.targets.TARGETS, "csv", names["CsvTarget"]())
    source = source_of_graph(two_layers(), dt=1e-4)
    done = export_network(source, "csv", tmp_path / "out", request=ExportRequest(steps=3))
    files = list((tmp_path / "out").glob("*.csv"))
    assert len(files) == done.export["csv_files"] == len(done.network.projections)
    for projection in done.network.projections.values():
        written = np.loadtxt(tmp_path / "out" / f"{projection.name}.csv", delimiter=",", ndmin=2)
        np.testing.assert_array_equal(written, projection.weight)


def _page(name):
    return (DOCS / name).read_text(encoding="utf-8")
