"""Networks as their authors write them, one or two a framework: captured, and every spike equal to the module's."""

from __future__ import annotations

import re

import pytest

import dalif_deploy
from benchmarks.zoo.all_networks import all_networks
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.errors import UserError
from tests.docs_pages import DOCS

NETWORKS = {network.name: network for network in all_networks()[0]}
CAPTURED = [
    "snntorch-fully-connected", "snntorch-functional", "snntorch-residual", "snntorch-rleaky",
    "spikingjelly-multi-step", "spikingjelly-concatenated", "spikingjelly-feedback", "norse-lifted-recurrent",
    "norse-integrate-and-fire", "sinabs-quickstart", "sinabs-recurrent", "plain-neuron-module", "plain-relu-mlp",
    "dalif-residual", "norse-speech", "snntorch-rleaky-zero", "norse-time-constants", "norse-refractory",
    "sinabs-from-model", "plain-time-last", "plain-own-weights", "spikingjelly-token-attention", "plain-own-leaky",
    "plain-random-coding", "plain-clip-floor-shift", "plain-millivolts", "norse-policy", "spikingjelly-deep-q",
]  # fmt: skip
REFUSED = {
    "snntorch-conv-class": "max pooling over currents: the chip's neurons add",
    "snntorch-alpha": "two synaptic currents",
    "snntorch-slstm": "gates, which multiply signals; a neuron of the chip has not",
}


def captured(name: str):
    if name not in NETWORKS:
        pytest.skip("its framework is not installed")
    network = NETWORKS[name]
    model = network.build()
    example, time_axis = network.export_example()
    if network.loop == "none":
        model = dalif_deploy.convert(model, example, steps=network.steps)
        example = example[:8]
    steps = network.steps if time_axis is None else None
    return source_of_module(model, example, steps=steps, time_axis=time_axis)


@pytest.mark.parametrize("name", CAPTURED)
def test_every_spike_is_the_module_s(name: str):
    """A difference would have been an error; here, that all layers were compared, and that something was."""
    verification = captured(name).verification
    assert verification is not None and not verification.after_ties and not verification.ties
    assert len(verification.layers) >= 2
    silent = NETWORKS[name].silent
    assert all(layer.compared and (layer.spikes or layer.layer in silent) for layer in verification.layers)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_what_the_chip_can_not_do(name: str):
    assert name not in NETWORKS or NETWORKS[name].refused_for
    with pytest.raises(UserError) as refused:
        captured(name)
    assert REFUSED[name] in str(refused.value)


def test_the_page_has_every_network_as_the_zoo_says():
    """A row each: refused where the zoo says why, and exported, whole in Lava, elsewhere."""
    page = (DOCS / "zoo.md").read_text(encoding="utf-8")
    assert "Written by `python benchmarks/zoo_table.py --write docs/zoo.md`" in page
    rows = {row[0]: row for row in (line.strip("| \n").split(" | ") for line in re.findall(r"^\| .*$", page, re.M))}
    assert set(NETWORKS) <= set(rows)
    for name, network in NETWORKS.items():
        refused = network.refused_for or network.not_followed
        assert rows[name][3] == ("refused" if refused else "yes"), name
        if rows[name][3] == "yes":
            assert re.match(r"0 of [\d,]+ differ$|not run: over", rows[name][7]), name
        else:
            assert f"- {name}: {refused}" in page
