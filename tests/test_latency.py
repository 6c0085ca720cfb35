"""Latency against a slow count of what each core does in each step."""

import numpy as np
import pytest

from dalif_deploy.hw_models.energy.latency import latency_figures
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.simulator import simulate
from tests import scalar_chip
from tests.chip_networks import random_network

SYNAPSE, ACTIVE, INACTIVE, BARRIER = 3.5e-9, 8.4e-9, 5.3e-9, (113e-9, 465e-9)  # Davies et al. 2018, Table 2


def slow_steps(network, encoded, mapping, update):
    """Seconds of each step of each sample, without the barrier: [samples, steps + depth]."""
    spikes = simulate(network, encoded, record=("spikes",)).spikes
    shape = encoded.samples, encoded.steps
    sent = {name: np.broadcast_to(m, (*shape, *m.shape[2:])) for name, m in encoded.messages.items()} | spikes
    depths = network.depths()
    seconds = np.zeros((encoded.samples, encoded.steps + max(depths.values())))
    for name, population in network.populations.items():
        cores = mapping.core_numbers(name).reshape(population.shape)
        for sample, step in np.ndindex(encoded.samples, encoded.steps):
            load = {core: (cores == core).sum() * update for core in np.unique(cores)}
            for projection in network.incoming(name):
                if step < projection.delay:
                    continue
                now = sent[projection.source][sample, step - projection.delay]
                shapes = network.source_shape(projection.source), population.shape
                for source, target, _ in scalar_chip.synapses(projection, *shapes):
                    if now[source]:
                        load[cores[target]] += SYNAPSE
            at = step + depths[name]
            seconds[sample, at] = max(seconds[sample, at], *load.values())
    return seconds


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_each_step_is_as_long_as_its_busiest_core(seed):
    network, encoded = random_network(np.random.default_rng(seed))
    mapping = map_network(network)
    found = latency_figures(network, encoded, mapping)
    low = slow_steps(network, encoded, mapping, INACTIVE) + BARRIER[0]
    high = slow_steps(network, encoded, mapping, ACTIVE) + BARRIER[1]
    assert found.steps_alone == low.shape[1] > encoded.steps
    assert found.alone.low == pytest.approx(low.sum(1).mean(), rel=1e-6)
    assert found.alone.high == pytest.approx(high.sum(1).mean(), rel=1e-6)
    assert found.streamed.high == pytest.approx(high.mean() * encoded.steps, rel=1e-6)
    assert found.longest_step == pytest.approx(high.max(), rel=1e-6)
    assert found.status == "assumed"  # loihi2: no times are published


def test_without_a_mapping_there_is_none():
    network, encoded = random_network(np.random.default_rng(0))
    assert latency_figures(network, encoded, None) is None
