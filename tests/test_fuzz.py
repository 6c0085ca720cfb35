"""Differential fuzzing: 200 random networks, the batched simulator against Lava at every layer and step.

`make fuzz` runs thousands of others.
"""

from __future__ import annotations

import pytest
import torch

from tests import random_chip_networks, random_graphs
from tests.differential import PARTS, Tally, fuzz

NETWORKS = 200


@pytest.mark.slow
@pytest.mark.timeout(900)  # shrinking a mismatch takes its time
@pytest.mark.usefixtures("lava")
def test_random_networks_give_the_same_bits_in_lava():
    tally = Tally()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the networks are tiny
    try:
        fuzz(tally, examples=-(-NETWORKS // PARTS) + 3)  # hypothesis begins with small ones
    finally:
        torch.set_num_threads(threads)
    print(tally)
    assert tally.ran >= NETWORKS
    assert sum(tally.refused.values()) < 0.15 * tally.ran, tally.refused
    never = (random_graphs.FEATURES | random_chip_networks.FEATURES) - tally.features.keys()
    assert not never, f"no network with {sorted(never)} fired"
    assert tally.slow_chip > 20
