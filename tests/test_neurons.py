"""Neurons, a file each: the table that the docs print, and the page that adds one."""

import re

import nir
import numpy as np
import pytest

from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.chips.names import chip_names
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.flat_graph import flatten_graph
from dalif_deploy.hw_models.neurons import NEURONS, neuron_dynamics
from dalif_deploy.hw_models.reference import run_reference
from tests import nir_networks
from tests.docs_pages import DOCS

PAGE = (DOCS / "howto" / "add-a-neuron.md").read_text(encoding="utf-8")
DT = 1e-3


def test_the_page_lists_the_table():
    rows = re.findall(r"^\| (\w+) \| `(.*?)` \| (.*?) \| (yes|no) \|$", PAGE, re.M)
    assert rows == [
        (node.__name__, n.equation, ", ".join(n.state) or "none", "yes" if n.spikes else "no")
        for node, n in NEURONS.items()
    ]


def test_every_neuron_says_what_its_node_has():
    for node, neuron in NEURONS.items():
        assert neuron.node is node
        assert set(neuron.parameters) == {k for k in node.__dataclass_fields__ if not k.endswith("_type")} - {
            "metadata"
        }
        assert all(neuron.why_not_on(load_chip(name)) is None for name in chip_names())


@pytest.fixture
def adaptive(monkeypatch):
    """The page's neuron, its code and its entry as they stand there; gives the node."""
    code = re.search(r"```python\n(.*?)```", PAGE, re.S).group(1)
    names = {"__package__": "dalif_deploy.hw_models.neurons", "__name__": "adaptive_lif"}
    exec(compile(code, "adaptive_lif.py", "exec"), names)
    assert "from .adaptive_lif import AdaptiveLif\n" in PAGE and ", AdaptiveLif())" in PAGE
    monkeypatch.setitem(NEURONS, names["AdaptiveLif"].node, names["AdaptiveLif"]())
    return names["AdaptiveLIF"]


def adaptive_graph(node, **changed):
    values = {"tau": 4e-3, "r": 4.0, "v_leak": 0.0, "v_threshold": 1.0, "tau_adaptation": 10e-3, "jump": 0.5}
    neuron = node(**{key: np.full(2, value) for key, value in {**values, **changed}.items()})
    return nir_networks.chain(
        ("input", nir.Input({"input": np.array([2])})),
        ("dense", nir.Linear(np.eye(2) * 0.6)),
        ("neuron", neuron),
        ("output", nir.Output({"output": np.array([2])})),
    )


def by_hand(x):
    """Membranes and spikes of one neuron, from the equations."""
    v = a = 0.0
    seen = []
    for each in x:
        v += DT / 4e-3 * (-v + 4.0 * 0.6 * each)
        a -= DT / 10e-3 * a
        fired = v > 1.0 + a
        if fired:
            v, a = 0.0, a + 0.5
        seen.append((v, fired))
    return np.array(seen).T


def test_the_page_s_neuron_runs_in_the_float_reference(adaptive):
    x = np.random.default_rng(0).random((3, 60, 2)) * 1.5
    run = run_reference(adaptive_graph(adaptive), x, dt=DT)
    for sample in range(3):
        for neuron in range(2):
            membrane, spikes = by_hand(x[sample, :, neuron])
            np.testing.assert_allclose(run.membrane["neuron"][sample, :, neuron], membrane, rtol=1e-12, atol=1e-15)
            np.testing.assert_array_equal(run.spikes["neuron"][sample, :, neuron], spikes)
    assert 10 < run.spikes["neuron"].sum() < 250
    still = run_reference(adaptive_graph(adaptive, jump=0.0), x, dt=DT)
    assert still.spikes["neuron"].sum() > run.spikes["neuron"].sum()


def test_its_graph_is_inspected(adaptive):
    flat = flatten_graph(adaptive_graph(adaptive))
    assert flat.neurons == flat.spiking == ["neuron"] and flat.shapes["neuron"] == (2,)
    with pytest.raises(UserError, match="neuron: jump holds NaN"):
        flatten_graph(adaptive_graph(adaptive, jump=np.nan))
    wide = adaptive_graph(adaptive)
    wide.nodes["neuron"].jump = np.zeros(3)
    with pytest.raises(UserError, match=r"neuron: parameters of shape \[3\] do not fit"):
        flatten_graph(wide)
    with pytest.raises(UserError, match="neuron: jump is negative"):
        run_reference(adaptive_graph(adaptive, jump=-1.0), np.zeros((1, 2, 2)), dt=DT)


@pytest.mark.parametrize("chip", chip_names())
def test_the_compiler_says_which_chip_cannot_hold_it(adaptive, chip):
    with pytest.raises(UserError) as refusal:
        compile_graph(adaptive_graph(adaptive), chip=chip, steps=4, dt=DT)
    said = str(refusal.value)
    assert said.startswith(f"neuron: {load_chip(chip).title} can't hold AdaptiveLIF: its threshold is a register")
    assert "no chip here can" in said


def test_exporters_refuse_it_by_name(adaptive):
    node = adaptive_graph(adaptive).nodes["neuron"]
    with pytest.raises(UserError, match="neuron: AdaptiveLIF is more than one decay"):
        neuron_dynamics("neuron", node, DT)


def test_a_graph_with_an_unknown_neuron_is_refused(adaptive, monkeypatch):
    monkeypatch.delitem(NEURONS, adaptive)
    with pytest.raises(UserError, match="AdaptiveLIF is not of the LIF family"):
        flatten_graph(adaptive_graph(adaptive))
