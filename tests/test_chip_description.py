"""A chip's file: what it leaves out, and what it must not say."""

import nir
import numpy as np
import pytest

from dalif_deploy.hw_models.chips import names
from dalif_deploy.hw_models.chips.description import load_chip, read_chip_description
from dalif_deploy.hw_models.chips.names import CHIP_FOLDER, DEFAULT_CHIP, chip_names
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.neurons import neuron_dynamics
from tests import nir_networks


def changed(tmp_path, *replacements):
    text = (CHIP_FOLDER / "loihi2.toml").read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "loihi2.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_chip_is_known_by_its_file_s_name():
    assert {"loihi1", "loihi2"} <= set(chip_names())
    assert DEFAULT_CHIP in chip_names()
    for name in chip_names():
        assert load_chip(name).name == name
    with pytest.raises(UserError, match=r"unknown chip 'loihi9'; choose one of .*loihi1"):
        load_chip("loihi9")


def test_a_chip_that_says_nothing_of_messages_sends_spikes(tmp_path):
    assert read_chip_description(changed(tmp_path)).formats.max_message_bits == 24
    path = changed(tmp_path, ("max_message_bits = 24", "# = 24"))
    assert read_chip_description(path).formats.max_message_bits == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_message_bits = 24", "max_message_bits = 0"),
        ("max_message_bits = 24", "max_message_bits = 25"),
        ("max_message_bits = 24", "messages = 24"),
        ("cores_per_tile = 4", "cores_per_tile = 3"),
        ("cores_per_tile = 4", "cores_per_tile = 0"),
    ],
)
def test_what_no_chip_can_be_is_refused_by_file(tmp_path, old, new):
    with pytest.raises(UserError) as refusal:
        read_chip_description(changed(tmp_path, (old, new)))
    assert "loihi2.toml" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("wide", "narrow", "largest"),
    [
        ("threshold_bits = 17", "threshold_bits = 5", 31),
        ("bias_mantissa_bits = 13", "bias_mantissa_bits = 5", 16),
        ("max_bias_exp = 7", "max_bias_exp = 0", 0),
        ("max_weight_exp = 7", "max_weight_exp = 0", 0),
    ],
)
def test_the_compiler_keeps_to_the_registers_of_the_file(tmp_path, monkeypatch, wide, narrow, largest):
    """A narrower one binds, every integer stays within it, and no weight is clipped."""
    changed(tmp_path, ('name = "loihi2"', 'name = "narrow"'), (wide, narrow)).rename(tmp_path / "narrow.toml")
    (tmp_path / "loihi2.toml").write_text((CHIP_FOLDER / "loihi2.toml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(names, "CHIP_FOLDER", tmp_path)
    rng = np.random.default_rng(0)
    nodes = {
        "input": nir.Input({"input": np.array([5])}),
        "large": nir.Affine(rng.normal(size=(4, 5)), rng.normal(size=4) * 4),
        "small": nir.Linear(rng.normal(size=(4, 5)) / 20),
        "lif": nir_networks.lif((4,)),
        "output": nir.Output({"output": np.array([4])}),
    }
    ways = [("input", "large"), ("input", "small"), ("large", "lif"), ("small", "lif"), ("lif", "output")]
    seen = {}
    for chip in ("narrow", "loihi2"):
        network = compile_graph(nir.NIRGraph(nodes, ways), chip=chip, steps=4, dt=1e-4).network
        population = network.populations["lif"]
        scale = neuron_dynamics("lif", nodes["lif"], 1e-4).gain * float(population.scale) / 64
        for projection in network.projections.values():
            lost = projection.weight * 2.0**projection.weight_exp - nodes[projection.name].weight * scale
            assert np.abs(lost).max() <= 2**projection.weight_exp  # half a step of weights of both signs
        seen[chip] = {
            "threshold_bits": population.vth.max(),
            "bias_mantissa_bits": abs(population.bias_mant).max(),
            "max_bias_exp": population.bias_exp.max(),
            "max_weight_exp": max(p.weight_exp for p in network.projections.values()),
        }[wide.split(" = ")[0]]
    assert seen["narrow"] <= largest < seen["loihi2"]
