"""Memory accesses against an enumeration of every message at every core, and worked out on paper."""

from collections import defaultdict

import numpy as np
import pytest

from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.memory import memory_figures
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import random_network
from tests.scalar_chip import synapses
from tests.slow_mapping import index_width, list_bits, owner, weight_width
from tests.test_mapping import fan, mapped, small_chip


def lists_on_cores(found):
    """(projection, core) -> source neuron -> its synapses there."""
    network, home = found.network, owner(found)
    lists = defaultdict(lambda: defaultdict(int))
    for p in network.projections.values():
        for source, target, _ in synapses(p, network.source_shape(p.source), network.populations[p.target].shape):
            lists[p.name, home[p.target, target]][source] += 1
    return lists


def takes_least_dense(sources, neurons, width, e, shape):
    """Whether a matrix's weights for all neurons of a core take less room than any form with indices."""
    indexed = width + index_width(neurons, e)
    by_pixel = defaultdict(int)
    for source, count in sources.items():
        by_pixel[source[0] // 2**e.max_atom_bits, source[1:]] += count
    dense = sum(list_bits(neurons, width, e) for _ in sources), len(sources)
    others = [(sum(list_bits(n, indexed, e) for n in sources.values()), len(sources))]
    if shape[0] > 1 and np.prod(shape[1:]) > 1:
        others.append((sum(list_bits(n, indexed, e) for n in by_pixel.values()), len(by_pixel)))
        return dense < others[0] and dense <= others[1]
    return dense < others[0]


def enumerate_words(found, sent):
    """Words read in one sample, a population: each message, at each core, one after the other."""
    network, e = found.network, found.chip.synapse_encoding
    depths = network.depths()
    words, kinds = defaultdict(int), set()
    for (name, number), sources in lists_on_cores(found).items():
        p = network.projections[name]
        width = weight_width(p.weight, e) + max(0, network.pipeline_delay(p, depths)).bit_length()
        neurons = int(np.prod([b - a for a, b in found.cores[number].box]))
        dense = p.geometry is None and takes_least_dense(
            sources, neurons, width, e, (*network.source_shape(p.source), 1, 1)[:3]
        )
        kinds.add("kernel" if p.geometry else "dense" if dense else "indexed")
        for step in sent[p.source]:
            for source, count in sources.items():
                if step[source]:
                    bits = (
                        list_bits(neurons, width, e) if dense else list_bits(count, width + index_width(neurons, e), e)
                    )
                    words[p.target] += bits // e.word_bits
    return words, kinds


def check_words(found, network, encoded):
    counts = count_activity(network, encoded, mapping=found, batch_size=2)
    sent = {name: np.broadcast_to(m, (len(m), encoded.steps, *m.shape[2:])) for name, m in encoded.messages.items()}
    sent.update(simulate(network, encoded).spikes)
    kinds = set()
    for sample in range(encoded.samples):
        words, seen = enumerate_words(found, {name: array[sample] for name, array in sent.items()})
        kinds |= seen
        assert {name: int(array[sample]) for name, array in counts.traffic.words_read.items()} == {
            name: words[name] for name in network.populations
        }
    return counts, kinds


@pytest.mark.parametrize("word_bits", [64, 16])
def test_words_equal_the_enumeration_of_every_message(word_bits):
    """Small blocks and words, so that lists run over several of each."""
    kinds, read = set(), 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        network, encoded = random_network(rng)
        limits = dict(neurons=int(rng.integers(2, 30)), memory=20_000, inputs=200, outputs=int(rng.integers(40, 80)))
        counts, seen = check_words(mapped(network, small_chip(word_bits=word_bits, **limits)), network, encoded)
        kinds |= seen
        read += sum(int(words.sum()) for words in counts.traffic.words_read.values())
    assert {"kernel", "indexed"} <= kinds and read > 1000


def test_dense_lists_are_read_whole():
    network = fan(4, 30)
    network.populations["first"].vth = np.array(0)
    weight = network.projections["b"].weight
    weight[:3, 0] = 0  # a dense list has its zeros too
    encoded = encode_input(network, np.array([[1.0, 0, 1]]))
    found = mapped(network, small_chip(neurons=40, block_synapses=64, index_bits=(0, 9)))
    _, kinds = check_words(found, network, encoded)
    assert "dense" in kinds


def test_bytes_on_paper():
    """3 inputs -> 4 neurons on one core -> 8 on two; 6 steps; in sample 0, 2 inputs and all 4 neurons fire each step.

    Weights of 8 bits at most and 9 of index, 4 synapses a list, and 10 bits of header: 78 or fewer bits, so one or two
    words. State: 12 neurons of 48 bits.
    """
    network = fan(4, 8)
    network.populations["first"].vth = np.array(0)
    network.populations["second"].fires = False
    network.populations["second"].vth = np.array(131071)
    encoded = encode_input(network, np.array([[1.0, 0, 1], [0, 0, 0]]))
    found = mapped(network, small_chip(neurons=4, block_synapses=64))
    counts = count_activity(network, encoded, mapping=found)
    e = found.chip.synapse_encoding
    (width,) = {weight_width(p.weight, e) for p in network.projections.values()}
    words = min(list_bits(4, width + index_width(4, e), e), list_bits(4, width, e)) // 64
    figures = memory_figures(counts)
    first, second = figures.layers
    assert first.synapse_words_read.worst == 6 * 2 * words
    assert second.synapse_words_read.worst == 6 * 4 * 2 * words
    assert second.synapse_bytes_read.mean == 6 * 4 * 2 * words * 8 / 2
    assert (figures.word_bits, figures.state_bits) == (64, 48)
    read = figures.total.state_bytes_read
    assert read.best == read.worst == 12 * 6 * 6
    assert figures.total.state_bytes_written.worst == 12 * 6 * 6
    assert figures.total.state_bytes_written.best == 0  # silence changes nothing
    assert figures.total.synapse_words_read.best == 0


def test_without_a_mapping_there_are_no_words():
    network = fan(4, 8)
    figures = memory_figures(count_activity(network, encode_input(network, np.array([[1.0, 0, 1]]))))
    assert figures.total.synapse_words_read is None
    assert "mapped" in figures.no_words_because
    assert figures.total.state_bytes_read.mean == 12 * 6 * 6


def test_an_assumed_encoding_is_called_assumed():
    network = fan(4, 8)
    network.chip = "loihi2"
    counts = count_activity(network, encode_input(network, np.array([[1.0, 0, 1]])), mapping=map_network(network))
    assert "assumed" in memory_figures(counts).status
