"""A capture that is wrong must be caught: faults planted in the nodes, in any layer, are named."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

import dalif_deploy
from dalif_deploy.converters.capture import source as capture
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.converters.capture.verification import LayerCheck
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.neuron import DALIF

STEPS = 8


class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.one = nn.Linear(6, 12), DALIF(learn="none", v_threshold=0.4, **options)
        self.fc2, self.two = nn.Linear(12, 5), DALIF(learn="none", v_threshold=0.2)

    def forward(self, x):
        x = self.fc1(x).expand(STEPS, -1, -1)
        return self.two(self.fc2(self.one(x))).mean(0)


def samples():
    return torch.rand(5, 6, generator=torch.Generator().manual_seed(1))


def planted(monkeypatch, change):
    """The capture with `change` of its graph's nodes."""
    build = capture.graph_of_run

    def broken(run, dt):
        graph, *rest = build(run, dt)
        change(graph.nodes)
        return graph, *rest

    monkeypatch.setattr(capture, "graph_of_run", broken)


def decay(nodes):
    nodes["one"].tau = nodes["one"].tau * 1.01


def threshold(nodes):
    nodes["two"].v_threshold = nodes["two"].v_threshold * 1.05


def weight(nodes):
    nodes["fc2"].weight = nodes["fc2"].weight.copy()
    nodes["fc2"].weight[2, 3] *= -1


def reset(nodes):
    nodes["one"].metadata = {"reset": "subtract"}


@pytest.mark.parametrize(
    ("fault", "layer"), [(decay, "one"), (threshold, "two"), (weight, "two"), (reset, "one")], ids=lambda v: str(v)[:16]
)
def test_planted_fault_is_named_with_its_layer(monkeypatch, fault, layer):
    source_of_module(Net(), samples())  # sound without the fault
    planted(monkeypatch, fault)
    with pytest.raises(UserError, match=rf"^{layer}: at step \d+ of sample \d+, neuron \[\d+\] .* in the module and"):
        source_of_module(Net(), samples())


def test_one_spike_of_hundreds_stops_it(monkeypatch):
    """No share of the spikes is enough: a layer that agrees in 199 of 200 is refused."""
    verify = capture.verify

    def one_wrong(populations, node_of, nodes, run, **options):
        spikes = run.spikes["two"]
        spikes[4, -1, 3] = 1 - spikes[4, -1, 3]
        assert spikes.size == 200
        return verify(populations, node_of, nodes, run, **options)

    monkeypatch.setattr(capture, "verify", one_wrong)
    with pytest.raises(UserError, match=r"^two: at step 7 of sample 4, neuron \[3\] "):
        source_of_module(Net(), samples())


def test_a_wrong_reading_of_the_result_is_caught(monkeypatch):
    planted(monkeypatch, lambda nodes: None)
    decide = capture.decide
    monkeypatch.setattr(capture, "decide", lambda *a: dataclasses.replace(decide(*a), over_time="last"))
    with pytest.raises(UserError, match="the result is not the last over time"):
        source_of_module(Net(), samples())


def test_ties_are_counted_and_excuse_what_follows(monkeypatch):
    """A threshold moved by one rounding error: who meets it exactly is told apart from who does something else."""

    class Exact(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.neuron = nn.Linear(1, 2, bias=False), DALIF(learn="none", alpha_init=1.0, beta_init=0.5)
            with torch.no_grad():
                self.fc.weight[:] = torch.tensor([[1.0], [0.25]])

        def forward(self, x):
            return self.neuron(self.fc(x).expand(STEPS, -1, -1)).sum(0)

    x = torch.tensor([[1.0], [0.3]])
    assert not source_of_module(Exact(), x).verification.ties

    def above(nodes):
        nodes["neuron"].v_threshold = np.nextafter(nodes["neuron"].v_threshold, 2) + 1e-12

    planted(monkeypatch, above)
    verification = source_of_module(Exact(), x).verification
    (tie,) = verification.ties
    assert (tie.layer, tie.sample, tie.step, tie.neuron) == ("neuron", 0, 0, (0,))
    # the module fires at each step, the graph then at every second one
    assert tie.membrane == pytest.approx(1.0) and verification.after_ties == STEPS // 2 - 1


def test_what_was_compared_is_told_and_kept(tmp_path):
    source = source_of_module(Net(), samples())
    one, two = source.verification.layers
    assert isinstance(one, LayerCheck) and (one.layer, two.layer) == ("one", "two")
    assert one.compared == 5 * STEPS * 12 and 0 < one.fired <= 1 and one.membrane_error < 1e-12
    dalif_deploy.export(Net(), samples(), out=tmp_path / "out", target="nir")
    kept = json.loads((tmp_path / "out" / "export.json").read_text())["verification"]
    assert kept["layers"][0]["layer"] == "one" and kept["samples"] == 5 and kept["steps"] == STEPS


def test_the_rule_survives_a_file(tmp_path):
    from dalif_deploy.converters.nir_file import graph_metadata, read_nir, write_nir

    write_nir(tmp_path / "net.nir", source_of_module(Net(), samples()).graph)
    graph = read_nir(tmp_path / "net.nir")
    rule = [graph_metadata(graph, f"decision_{key}") for key in ("of", "what", "over_time")]
    assert rule == ["two", "spikes", "mean"]
