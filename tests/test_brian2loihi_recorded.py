"""Random networks as Brian2Loihi ran them, an emulator held against Loihi 1 (tests/data/brian2loihi, its README)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.brian2loihi_job import EXCITATORY, INHIBITORY, MIXED, read_job
from dalif_deploy.hw_models.simulator import simulate
from tests import refractory_chip

RECORDED = Path(__file__).parent / "data" / "brian2loihi" / "seen.npz"


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as file:
        arrays = dict(file)
    return [(f"{index}.", arrays, *read_job(arrays, f"{index}.")) for index in range(int(arrays["networks"]))]


def differences(at, arrays, network, spikes, membrane):
    """Values that Brian2Loihi has otherwise, over all populations and steps."""
    found = {"spikes": spikes, "membrane": membrane}
    return sum(
        int((arrays[f"{at}{name}.{kind}"] != run[name]).sum())
        for name in network.populations
        for kind, run in found.items()
    )


def test_every_spike_and_membrane_is_that_of_the_simulator(recorded):
    compared = 0
    for at, arrays, network, encoded, refractory in recorded:
        if max(refractory.values()) == 1:
            run = simulate(network, encoded)
            assert differences(at, arrays, network, run.spikes, run.membrane) == 0, at
            compared += sum(membrane.size for membrane in run.membrane.values())
    assert compared > 20_000


def test_a_refractory_time_is_all_that_sets_the_others_apart(recorded):
    """No chip network has one; holding membranes at 0 after spikes gives what Brian2Loihi gave."""
    differ = 0
    for at, arrays, network, encoded, refractory in recorded:
        if max(refractory.values()) > 1:
            ours = simulate(network, encoded)
            differ += differences(at, arrays, network, ours.spikes, ours.membrane)
            assert differences(at, arrays, network, *refractory_chip.run(network, encoded, refractory)[:2]) == 0, at
    assert differ > 1000


def test_the_recording_holds_what_it_is_for(recorded):
    networks = [network for _, _, network, _, _ in recorded]
    populations = [p for network in networks for p in network.populations.values()]
    projections = [q for network in networks for q in network.projections.values()]
    assert any((p.du < 4095).any() for p in populations) and any((p.dv > 0).all() for p in populations)
    assert any(q.delay > 0 for q in projections) and any(q.source == q.target for q in projections)
    assert {0, 1, 2, 3} <= {q.weight_exp for q in projections}
    assert any((p.bias > 0).any() and (p.bias % 64).any() for p in populations)
    signs = {(bool((q.weight > 0).any()), bool((q.weight < 0).any())) for q in projections}
    assert len(signs) >= len((MIXED, EXCITATORY, INHIBITORY))
    fired = [arrays[f"{at}{name}.spikes"].mean() for at, arrays, n, _, _ in recorded for name in n.populations]
    assert np.mean([0 < rate < 1 for rate in fired]) > 0.4


@pytest.mark.parametrize("register", ["du", "dv", "vth", "bias_mant"])
def test_a_register_that_is_off_by_one_shows(recorded, register):
    """The comparison sees the smallest error of each register, in the networks where that register acts."""
    seen = 0
    for at, arrays, network, encoded, refractory in recorded:
        if max(refractory.values()) == 1:
            moved = {
                name: replace(p, **{register: np.maximum(getattr(p, register).astype(np.int64) - 1, 0)})
                for name, p in network.populations.items()
            }
            run = simulate(replace(network, populations=moved), encoded)
            seen += differences(at, arrays, network, run.spikes, run.membrane) > 0
    assert seen >= 3
