"""--rewrite max-pool=...: another network, and what that costs on the samples given."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import dalif_deploy
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from tests.commands_here import run_here

pytest.importorskip("snntorch")
CODE = """
import torch
from torch import nn
import snntorch as snn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.one = nn.Conv2d(1, 8, 3, padding=1), snn.Leaky(beta=0.9)
        self.order, self.pool = "pool first", nn.MaxPool2d(2)
        self.fc = nn.Linear(8 * 16, 10)
        with torch.no_grad():
            self.conv.weight *= 3
            self.fc.weight *= 4

    def forward(self, x):
        membrane, seen = self.one.init_leaky(), []
        for _ in range(6):
            if self.order == "pool first":
                spikes, membrane = self.one(self.pool(self.conv(x)), membrane)
            else:
                spikes, membrane = self.one(self.conv(x), membrane)
                spikes = self.pool(spikes)
            seen.append(self.fc(spikes.flatten(1)))
        return torch.stack(seen)  # every step: they are summed
"""


def network(order="pool first", pool=None):
    space = {}
    exec(CODE, space)
    made = space["Net"]()
    made.order, made.pool = order, pool or made.pool
    return made.eval()


BY_HAND = {
    "after-spikes": lambda: network("fire first"),
    "average": lambda: network(pool=nn.AvgPool2d(2)),
}


def digits(count):
    data = load_data("digits:test")
    return torch.as_tensor(np.asarray(data.inputs[:count])), data.labels[:count]


def decisions(model, x):
    with torch.no_grad():
        return model(x).sum(0).argmax(1).numpy()


@pytest.mark.parametrize("rule", BY_HAND)
def test_the_graph_is_the_network_rewritten_by_hand(rule):
    x, _ = digits(8)
    source = source_of_module(network(), x, rewrite={"max-pool": rule})
    (found,) = run_reference(source.graph, x.double().numpy(), dt=source.dt, steps=6).outputs.values()
    with torch.no_grad():
        wanted = BY_HAND[rule]()(x).transpose(0, 1).numpy()
        other = network()(x).transpose(0, 1).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.abs(found - other).max() > 0.1


@pytest.mark.parametrize("rule", BY_HAND)
def test_the_command_tells_accuracy_before_and_after(tmp_path, monkeypatch, capfd, rule):
    (tmp_path / "mynet.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    asked = ["--example", "digits:test", "--target", "nir", "--rewrite", f"max-pool={rule}", "-o", "out"]
    done = run_here(["dalif-export", "mynet.py:Net", *asked], capfd)
    assert done.returncode == 0, done.stderr
    x, labels = digits(256)
    before, after = decisions(network(), x), decisions(BY_HAND[rule](), x)
    wanted = [float((each == labels).mean()) for each in (before, after)]
    assert (before != after).any()  # otherwise nothing would be told apart
    cost = json.loads((tmp_path / "out" / "export.json").read_text())["rewrite"]
    assert cost["rewrite"] == {"max-pool": rule} and cost["samples"] == 256
    # float32 here, float64 there: a decision of 256 may turn
    assert [cost["accuracy_before"], cost["accuracy_after"]] == pytest.approx(wanted, abs=1 / 256)
    assert cost["same_decisions"] == pytest.approx(float((before == after).mean()), abs=1 / 256)
    told = f"accuracy {100 * cost['accuracy_before']:.1f} % -> {100 * cost['accuracy_after']:.1f} %"
    assert f"rewritten, max-pool={rule}: {told}" in done.stdout


def test_without_labels_decisions_are_compared(tmp_path):
    x, labels = digits(65)  # one sample is left over by the pieces it runs in
    artefact = dalif_deploy.export(network(), x, out=tmp_path / "a", target="nir", rewrite={"max-pool": "average"})
    cost = artefact.export["rewrite"]
    assert cost["accuracy_before"] is None and cost["samples"] == 65
    same = (decisions(network(), x) == decisions(BY_HAND["average"](), x)).mean()
    assert cost["same_decisions"] == pytest.approx(same, abs=1 / 65) and same < 1
    artefact = dalif_deploy.export(
        network(), (x, labels), out=tmp_path / "b", target="nir", rewrite={"max-pool": "average"}
    )
    wanted = (decisions(network(), x) == labels).mean()
    assert artefact.export["rewrite"]["accuracy_before"] == pytest.approx(wanted, abs=1 / 65)


def test_unknown_rewrites_are_refused():
    with pytest.raises(UserError, match=r"unknown rewrite max-pool=as-it-is; choose max-pool=after-spikes"):
        source_of_module(network(), digits(4)[0], rewrite={"max-pool": "as-it-is"})
