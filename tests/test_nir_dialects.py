"""The instrument behind docs/nir-dialects.md: a reader that is known to follow a rule gets that rule as its verdict."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import nir_dialects
    import update_rules

    monkeypatch.setattr(nir_dialects, "AMPLITUDES", (1.03, 41.0, 1030.0))
    yield nir_dialects, update_rules
    for name in ("nir_dialects", "update_rules", "dialect_readers"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "words",
    [
        {"decay": "exponential", "gain": "1 - decay", "reset": "subtract", "reset_when": "next step"},
        {"dt": 1e-3, "gain": "dt/tau", "decided": "before"},
    ],
    ids=["exponential, soft, late", "decided before"],
)
def test_a_known_rule_is_found(tools, words):
    dialects, rules = tools
    rule = rules.Rule(**words)

    def read(graph, x):
        return rules.run(rule, graph.nodes["n"], x.astype(float))

    probes = {str(r): dialects.probe(read, dialects.lif(1e-2, r)) for r in (1.0, 7.0)}
    attributes = [*words, "reset"]
    row = dialects.verdict_row("known", probes, list(rules.candidates(dialects.lif())), attributes)
    found = dict(zip(attributes, row[1:], strict=False))
    for key, value in words.items():
        assert dialects.word_of(value) in found[key].split(" or "), (key, row)
    assert row[-2] == "100.0%"


def test_a_reader_that_leaves_the_neuron_out_is_seen(tools):
    dialects, _ = tools
    assert dialects.probe(lambda graph, x: x, dialects.lif()) == "gives its input back"
    refuses = dialects.probe(lambda graph, x: [][1], dialects.lif())
    assert refuses.startswith("IndexError")
