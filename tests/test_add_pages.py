"""The pages "add a source", "add a target", "add an engine", and the tables that they lead into."""

import json
import re

import numpy as np
import pytest

from dalif_deploy.converters.sources import SOURCES
from dalif_deploy.converters.targets import TARGETS
from dalif_deploy.hw_models.chip_network.file import read_chip_network
from dalif_deploy.simulation.arithmetic import ARITHMETICS
from dalif_deploy.simulation.engines import ENGINES
from tests.docs_pages import DOCS
from tests.followed_page import FollowedPage

WEIGHTS = "0.5,0,1.25\n-1,2,0.25\n"


def followed(page, folder):
    made = FollowedPage(page, folder)
    (folder / "weights.csv").write_text(WEIGHTS, encoding="utf-8")
    return made


def fine(done):
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def with_source(tmp_path_factory):
    """The page "add a source", with what it says exported: the other two pages start from such a folder."""
    package = followed("howto/add-a-source.md", tmp_path_factory.mktemp("source"))
    fine(package.run("export", "weights.csv", "--target", "lava", "--steps", 8, "-o", "out"))
    spikes = np.random.default_rng(0).random((6, 8, 3)) < 0.4
    np.savez(package.folder / "data.npz", input=spikes.astype(np.float32))
    return package


def test_add_a_source(with_source):
    assert with_source.touched == ["converters/sources/csv_source.py", "converters/sources/__init__.py"]
    network = read_chip_network(with_source.folder / "out" / "network.nir")
    (projection,) = network.projections.values()
    scale = float(network.populations[projection.target].scale)
    units = projection.weight * 2.0 ** (projection.weight_exp + 6)
    np.testing.assert_allclose(units / scale, [[0.5, 0, 1.25], [-1, 2, 0.25]], atol=0.02)
    assert "a table of weights (.csv)" in re.sub(r"\s+", " ", fine(with_source.run("export", "--help")).stdout)
    (with_source.folder / "bad.csv").write_text("1,two\n", encoding="utf-8")
    refused = with_source.run("export", "bad.csv", "--target", "nir", "-o", "bad")
    assert refused.returncode == 2 and "bad.csv: not a table of numbers" in refused.stderr


def test_add_a_target(tmp_path, with_source):
    package = followed("howto/add-a-target.md", tmp_path)
    assert package.touched == ["converters/targets/csv_target.py", "converters/targets/__init__.py"]
    graph = with_source.folder / "out" / "model.nir"
    fine(package.run("export", graph, "--target", "csv", "--steps", 8, "-o", "out"))
    network = read_chip_network(tmp_path / "out" / "network.nir")
    export = json.loads((tmp_path / "out" / "export.json").read_text())
    files = list((tmp_path / "out").glob("*.csv"))
    assert len(files) == export["csv_files"] == len(network.projections) == 1
    for name, projection in network.projections.items():
        written = np.loadtxt(tmp_path / "out" / f"{name}.csv", delimiter=",", ndmin=2)
        np.testing.assert_array_equal(written, projection.weight)
    unknown = package.run("export", graph, "--target", "cvs", "-o", "other")
    assert unknown.returncode == 2 and ", csv" in unknown.stderr


def test_add_an_engine(tmp_path, with_source):
    package = followed("howto/add-an-engine.md", tmp_path)
    file = "dalif_deploy/simulation/engines/alone_engine.py"
    assert package.touched == [file, "dalif_deploy/simulation/engines/__init__.py"]
    folder, data = with_source.folder / "out", with_source.folder / "data.npz"
    command = ("simulate", folder, "--data", data, "--engine", "alone", "--check", "--samples-a-batch", 2)
    done = fine(package.run(*command, "--json", "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["check"]["against"] == "fast" and found["check"]["mismatches"] == 0
    assert sum(found["check"]["compared"].values()) == 2 * 6 * 8 * 2 and max(found["firing_rate"].values()) > 0
    assert "check against fast: " in done.stdout and "engine alone: " in done.stdout
    help_text = re.sub(r"\s+", " ", fine(package.run("simulate", "--help")).stdout)
    assert "alone: samples simulated at a time; 1 by default" in help_text and "or alone" in help_text
    # an engine with a fault does not pass
    text = (tmp_path / file).read_text(encoding="utf-8")
    text = text.replace(
        "        return from_integers", "        encoded.messages['input'][:] = 1\n        return from_integers"
    )
    (tmp_path / file).write_text(text, encoding="utf-8")
    failed = package.run(*command)
    assert failed.returncode == 1 and re.search(r"first: sample \d, layer neurons, step \d, neuron", failed.stderr)


def table(page, heading):
    """Rows below a heading's line of the docs' table, backticks off."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = text.split(f"{heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [tuple(cell.strip().strip("`") for cell in row.split("|")) for row in rows]


def test_the_docs_list_what_the_tables_hold():
    assert table("reference/targets.md", "source") == [(s.name, s.about) for s in SOURCES.values()]
    assert table("reference/targets.md", "`--target`") == [(t.name, t.about) for t in TARGETS.values()]
    assert table("reference/engines.md", "`--engine`") == [
        (name, e.about, e.arithmetic, ARITHMETICS[e.arithmetic].counterpart(name)) for name, e in ENGINES.items()
    ]


@pytest.mark.parametrize("entries", [SOURCES, TARGETS, ENGINES], ids=["sources", "targets", "engines"])
def test_every_entry_says_what_it_is(entries):
    for name, entry in entries.items():
        assert entry.name == name and entry.about and "\n" not in entry.about


def test_references_are_engines():
    for kind in ARITHMETICS.values():
        assert kind.reference in ENGINES and kind.second in ENGINES
        assert set(kind.compares) <= {"spikes", "membrane"}
