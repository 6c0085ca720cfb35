"""What the Python functions give back: a short repr, a view for notebooks, plain values."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import dalif_deploy as dd
from tests.test_commands import checkpoint


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    source = checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2])
    network = dd.export(source, out=folder / "<b>out", chip="loihi1")
    rng = np.random.default_rng(0)
    images, labels = rng.random((4, 1, 8, 8)).astype(np.float32), np.arange(4)
    torch.manual_seed(0)
    relu = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    return {
        "export": network,
        "simulate": dd.simulate(network, (images, labels)),
        # float engines alone: Lava takes seconds to start
        "check": dd.check(dd.export(source, out=folder / "float", target="nir"), (images, labels)),
        "energy": dd.energy_report(network, images),
        "convert": dd.convert(relu, torch.rand(20, 6), steps=4),
    }


@pytest.mark.parametrize("name", ["export", "simulate", "check", "energy", "convert"])
def test_every_result_can_be_looked_at_and_kept(results, name):
    result = results[name]
    assert len(repr(result)) < 400 and "\n" not in repr(result)
    assert repr(result).startswith(f"<{type(result).__name__} of") or name == "export"
    html = result._repr_html_()
    assert html.startswith("<table><caption>") and html.count("<tr>") == html.count("</tr>") > 0 and "<b>" not in html
    kept = result.to_dict()
    assert json.loads(json.dumps(kept, allow_nan=False)) == json.loads(json.dumps(kept)) and kept
    assert not any(key.startswith("_") for key in kept)


def test_what_they_say_is_what_they_hold(results):
    simulated, checked, network = results["simulate"], results["check"], results["export"]
    assert f"accuracy {100 * simulated.accuracy:.2f} %" in repr(simulated)
    verdict = {True: "yes", None: "not checked"}[checked.bit_exact]
    assert f"agree to the bit: {verdict}" in repr(checked) and "of engine" not in repr(checked)
    for engine in checked.engines:
        assert engine in repr(checked) and engine in checked._repr_html_()
    assert network.export["chip"] in repr(network) and network.to_dict() == network.export
    network.to_dict()["layers"].clear()
    assert network.export["layers"]
    assert results["convert"].to_dict()["thresholds"] == results["convert"].thresholds
