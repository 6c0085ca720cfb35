"""Single faults of the arithmetic, planted one by one: a stressed check of one network catches each.

`python -m tests.planted_faults --write docs/checks.md` writes how many a plain check catches, too.
"""

import numpy as np
import pytest

from dalif_deploy.hw_models.simulator import simulate
from tests import scalar_chip
from tests.chip_networks import random_network
from tests.faulty_chip import FAULTS, Chip, networks
from tests.planted_faults import differs, digits, stressed


@pytest.fixture(scope="module")
def stress():
    return stressed()


@pytest.mark.parametrize("seed", range(6))
def test_the_chip_without_a_fault_is_the_slow_chip(seed):
    network, encoded = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
    spikes, membranes = Chip().run(network, encoded)
    slow_spikes, slow_membranes = scalar_chip.run(network, encoded)
    for name in network.populations:
        np.testing.assert_array_equal(spikes[name], slow_spikes[name].reshape(spikes[name].shape))
        np.testing.assert_array_equal(membranes[name], slow_membranes[name].reshape(membranes[name].shape))


def test_without_a_fault_nothing_differs(stress):
    for name, network in networks().items():
        for encoded in (stress[name][0], digits(network)):
            assert not differs(Chip(), network, encoded, simulate(network, encoded))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stressed_check_catches(fault, stress):
    planted = FAULTS[fault]
    encoded, right = stress[planted.network]
    assert differs(planted.chip(), networks()[planted.network], encoded, right)
