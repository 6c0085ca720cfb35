"""What the report's figures say, against what they are made of: status, chips, middles, distributions."""

import json

import jsonschema
import numpy as np
import pytest

from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.latency import latency_figures
from dalif_deploy.hw_models.energy.loihi_sanafe import sanafe_energy
from dalif_deploy.hw_models.energy.models import joules_by_sample, loihi_energy, loihi_terms, static_energy
from dalif_deploy.hw_models.energy.report import EnergyReport, energy_report, report_schema
from dalif_deploy.hw_models.energy.report.histograms import BINS, LOWEST, SAMPLES, membrane_histograms, sample_energy
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import random_network
from tests.test_energy_models import run


def mapped(seed, chip):
    network, encoded = random_network(np.random.default_rng(seed))
    network.chip = chip
    mapping = map_network(network)
    return network, encoded, mapping, count_activity(network, encoded, mapping=mapping)


def test_only_loihi_1_s_own_figures_are_not_assumed():
    _, _, counts = run()
    own, other = loihi_energy(counts, "loihi1"), loihi_energy(counts, "loihi2")
    assert own.status == "modelled from simulated constants" and "assumed" not in own.title
    assert other.status == "assumed" and other.title.startswith("loihi2: assumed")
    assert own.total == other.total
    assert len(other.not_included) == len(own.not_included) + 1


def test_static_energy_is_that_of_all_chips():
    constants = load_constants("loihi1_davies2018")
    one, five = static_energy(4, constants), static_energy(4, constants, 5)
    for figure in ("joules", "low", "high"):
        assert getattr(five, figure) == pytest.approx(5 * getattr(one, figure)) and getattr(one, figure) > 0
    assert one.low < one.high and (one.chips, five.chips) == (1, 5)
    assert five.watts == one.watts


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
@pytest.mark.parametrize("with_mapping", [True, False])
def test_the_report_has_the_fields_that_its_schema_names(chip, with_mapping):
    network, encoded, _, counts = mapped(3, chip)
    if not with_mapping:
        counts = count_activity(network, encoded)
    report = energy_report(network, encoded, counts, measured=[], not_measured="none is there")
    jsonschema.validate(json.loads(json.dumps(report.to_dict())), report_schema())
    assert EnergyReport.model_validate(report.to_dict()) == report
    total = report.counts.total
    assert total.synaptic_operations.mean == counts.synaptic_operations().mean() > 0
    assert total.spikes.mean == counts.spikes().mean()


@pytest.mark.parametrize("seed", [0, 3])
def test_latency_lies_in_the_middle_of_its_spread(seed):
    for chip, status in (("loihi1", "modelled from simulated times"), ("loihi2", "assumed")):
        network, encoded, mapping, _ = mapped(seed, chip)
        found = latency_figures(network, encoded, mapping)
        assert found.status == status and found.samples == min(8, encoded.samples)
        for way in (found.alone, found.streamed):
            assert way.mean == pytest.approx((way.low + way.high) / 2)
            assert 0 < way.low < way.high
        assert found.slowest_layer in network.populations


def test_the_slowest_layer_has_the_busiest_cores_most_often():
    """Silence: a core's time is its neurons' alone, so the layer with the fullest core is always the slowest."""
    network, encoded, mapping, _ = mapped(0, "loihi2")
    for messages in encoded.messages.values():
        messages[:] = 0
    for population in network.populations.values():
        population.bias_mant = np.zeros_like(population.bias_mant)
    fullest = {name: np.bincount(mapping.core_numbers(name).ravel()).max() for name in network.populations}
    found = latency_figures(network, encoded, mapping)
    assert found.slowest_layer == max(fullest, key=fullest.get)


def test_terms_of_sanafe_are_the_counts():
    network, encoded, _, counts = mapped(3, "loihi1")
    counted = {term.name: term.count.mean for term in sanafe_energy(network, counts).terms}
    assert counted["spikes"] == counts.spikes().mean() > 0
    assert counted["neuron updates, active"] == counts.updates_active().mean()
    neurons = sum(p.size for p in network.populations.values())
    assert counted["neuron accesses"] == neurons * counts.steps
    traffic = counts.traffic.counts
    assert counted["messages"] == (traffic["messages"] - traffic["from_input"]).mean()
    assert sanafe_energy(network, count_activity(network, encoded)) is None


def test_energy_of_samples_is_spread_from_best_to_worst():
    counts = mapped(3, "loihi1")[3]
    joules = joules_by_sample(loihi_terms(counts, load_constants("loihi1_davies2018")))
    found = sample_energy(counts, "loihi1")
    assert (found.best, found.worst) == (joules.min(), joules.max())
    assert joules[found.best_sample] == found.best < found.worst == joules[found.worst_sample]
    assert found.mean == pytest.approx(joules.mean())
    assert (found.edges[0], found.edges[-1]) == (found.best, found.worst)
    assert sum(found.counts) == counts.samples and len(found.edges) == len(found.counts) + 1


def test_equal_samples_make_one_bin():
    _, _, counts = run(rows=((1, 0, 0, 0), (1, 0, 0, 0)))
    found = sample_energy(counts, "loihi1")
    assert found.edges == [found.best, found.worst] and found.counts == [2]


def test_membranes_are_counted_in_thresholds():
    network, encoded, _, _ = mapped(3, "loihi2")
    part = encoded.part(slice(SAMPLES))
    membranes = simulate(network, part, record=("membrane",)).membrane
    found = membrane_histograms(network, part)
    firing = [name for name, p in network.populations.items() if p.fires]
    assert [layer.name for layer in found] == firing
    for layer in found:
        threshold = np.broadcast_to(network.populations[layer.name].vth, membranes[layer.name].shape[2:]) * 64
        relative = membranes[layer.name] / np.maximum(threshold, 1)
        edges = np.array(layer.edges)
        assert len(layer.counts) == BINS and (edges[0], edges[-1]) == (LOWEST, 1.0)
        assert sum(layer.counts) == relative.size
        assert layer.counts[0] == (relative < edges[1]).sum()
        middle = BINS // 2
        assert sum(layer.counts[:middle]) == (relative < edges[middle]).sum()
        told = layer.thresholds
        assert (told.lowest, told.highest) == (threshold.min(), threshold.max())
        assert told.distinct == len(np.unique(threshold)) and sum(told.counts) == threshold.size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((2.5, "2.50 J"), (0.0123, "12.3 mJ"), (724.5e-6, "724 µJ"), (3.1e-9, "3.10 nJ"), (81e-12, "81.0 pJ")),
        *((2.5e-15, "2.50 fJ"), (0.9996e-3, "1.00 mJ"), (0.999e-3, "999 µJ"), (9.994e-3, "9.99 mJ")),
        *((9.996e-3, "10.0 mJ"), (99.94e-3, "99.9 mJ"), (99.96e-3, "100 mJ"), (12345.0, "12,345 J")),
        *((2e-17, "2e-17 J"), (0.0, "0 J")),
    ],
)
def test_three_digits_with_a_prefix(value, shown):
    assert readable(value, "J") == shown
