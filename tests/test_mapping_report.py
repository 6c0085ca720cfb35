"""What the energy report says of a mapping: priced by hand, printed, and refused with exit code 1."""

import json
import os
import subprocess
import sys
from io import StringIO

import nir
import numpy as np
import pytest
from rich.console import Console

from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.report import energy_report
from dalif_deploy.hw_models.mapping import DoesNotFit
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.reports.energy_table import print_energy_report
from dalif_deploy.reports.mapping_table import print_mapping
from tests.chip_networks import chip
from tests.test_mapping import fan, mapped, small_chip


def relay(**limits):
    """3 inputs -> 4 neurons that fire whenever they get an event -> 8 that integrate, and the report of its mapping."""
    network = fan(4, 8)
    network.populations["first"].vth = np.array(0)
    network.populations["second"].fires = False
    network.populations["second"].vth = np.array(131071)
    network.chip = "loihi1"
    found = mapped(network, small_chip(block_synapses=64, **limits))
    encoded = encode_input(network, np.array([[1.0, 0, 1], [0, 0, 0]]))
    counts = count_activity(network, encoded, mapping=found)
    return found, counts, energy_report(network, encoded, counts, measured=[], not_measured="no GPU")


def test_messages_and_hops_by_hand():
    """Cores of 4: first, second (2): 3 cores of a chip of two tiles of two. One core of `second` is a tile away.

    6 steps: 2 input messages and 4 spikes a step in sample 0; nothing in sample 1.
    """
    found, counts, report = relay(neurons=4)
    assert len(found.cores) == 3
    assert {k: v.tolist() for k, v in counts.traffic.counts.items()} == {
        "messages": [6 * (2 + 4 * 2), 0],
        "from_input": [6 * 2, 0],
        "between_chips": [0, 0],
        "hops_east_west": [6 * 4, 0],
        "hops_north_south": [0, 0],
    }
    terms = {term.name: term.joules.worst for term in report.energy.terms}
    assert terms["messages, at each core reached"] == pytest.approx(60 * 1.7e-12)
    assert terms["hops east-west"] == pytest.approx(24 * 3.0e-12)
    assert terms["hops north-south"] == 0
    assert "messages, within one tile" not in terms
    mapping = report.mapping
    assert (mapping.status, mapping.cores, mapping.chips, mapping.tiles) == ("fits", 3, 1, 2)
    assert sum(core.messages_in for core in mapping.core_list) == 60 / 2
    assert [core.messages_out for core in mapping.core_list] == [48 / 2, 0, 0]
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()


def test_static_energy_is_that_of_all_chips():
    """One neuron a core: 12 cores on 3 chips of 4."""
    one, three = relay(neurons=8)[2], relay(neurons=1)[2]
    assert (one.energy.static.chips, three.energy.static.chips) == (1, 3)
    assert three.energy.static.high == pytest.approx(3 * one.energy.static.high)
    row = three.comparisons[0]
    assert row.with_static.high < row.with_one_chip_static.high
    gpu = row.dynamic_only * three.energy.total.mean
    joules = three.energy.total.mean + three.energy.static.low
    assert row.with_static.high == pytest.approx(gpu / joules)
    assert three.mapping.traffic.between_chips.worst > 0


def printed(function, *arguments):
    out = StringIO()
    function(*arguments, Console(file=out, width=170))
    return out.getvalue()


def test_the_table_says_what_binds_and_what_is_assumed():
    report = relay(neurons=1)[2]
    text = printed(print_energy_report, report)
    for words in (
        "[modelled]: 12 cores of 12 on 3 chips, bound by neurons",
        "not modelled",
        "3 whole chips",
        "3 chips'",
    ):
        assert words in text
    from dalif_deploy.hw_models.mapping import map_or_refusal

    network = chip(
        fan(4, 8).inputs.values(), fan(4, 8).populations.values(), fan(4, 8).projections.values(), name="loihi2"
    )
    encoded = encode_input(network, np.ones((1, 3)))
    found, refusal = map_or_refusal(network, encoded)
    assert refusal is None
    counts = count_activity(network, encoded, mapping=found)
    report = energy_report(network, encoded, counts, measured=[], not_measured="no GPU")
    text = printed(print_mapping, report.mapping, "loihi2")
    for words in ("input axons: not checked: no source", "encoding of synapses assumed", "synapse memory assumed"):
        assert words in text


def test_without_room_the_report_still_comes():
    network = fan(4, 8)
    encoded = encode_input(network, np.ones((1, 3)))
    counts = count_activity(network, encoded)
    refusal = DoesNotFit("input_axons_per_core", 5000, 4096, layer="[red]x", chip="Loihi 1")
    report = energy_report(network, encoded, counts, measured=[], does_not_fit=refusal)
    assert report.mapping.status == "does not fit"
    assert (report.mapping.limit, report.mapping.needed) == ("input_axons_per_core", 5000)
    assert "messages, within one tile" in {term.name for term in report.energy.terms}
    assert "layer [red]x" in printed(print_energy_report, report)


def test_the_command_reports_then_ends_with_1(tmp_path):
    """4,100 sources of one neuron: four too many for a core of Loihi 1."""
    from dalif_deploy.converters.export_network import export_network
    from dalif_deploy.converters.export_request import ExportRequest

    one = np.ones(1)
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array([4100])}),
            "weight": nir.Linear(weight=np.ones((1, 4100))),
            "lif": nir.LIF(tau=one * 2e-4, r=one * 2, v_leak=one * 0, v_threshold=one, v_reset=one * 0),
            "output": nir.Output({"output": np.array([1])}),
        },
        edges=[("input", "weight"), ("weight", "lif"), ("lif", "output")],
        metadata={"dt": 1e-4},
    )
    nir.write(tmp_path / "net.nir", graph)
    request = ExportRequest(chip="loihi1", steps=2, input_mode="spikes")
    export_network(tmp_path / "net.nir", "lava", tmp_path / "artefact", request=request, dt=1e-4)
    np.savez(tmp_path / "data.npz", input=np.ones((2, 2, 4100), np.float32))
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    done = subprocess.run(
        [sys.executable, "-m", "dalif_deploy.cli.energy", "artefact", "--data", "data.npz", "--json", "out.json"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert (
        "layer lif: does not fit: one neuron alone needs 4,100 input axons, a core of Loihi 1 has 4,096" in done.stderr
    )
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["mapping"]["status"] == "does not fit"
    assert report["mapping"]["why"] in done.stderr
    assert "Davies" in done.stdout
