"""Words of synapse memory that messages read: each message reads its synapses on every core that it reaches.

What a message reads is its source neuron's list there, in the encoding of synapse_memory.py: blocks with their
headers, whole words; a dense list holds a weight for every neuron of the core. Where the neurons of a pixel share an
axon, a message's atom picks its own part, counted as a list of its own: no source says how parts lie in words.
"""

from __future__ import annotations

import numpy as np

from .core_box import as_slices, image_shape
from .mapping import Mapping


def words_of_a_spike(mapping: Mapping) -> dict[str, dict[str, np.ndarray]]:
    """Words that one spike of each neuron has read: target population -> source -> int64 [neurons]."""
    network, word_bits = mapping.network, mapping.chip.synapse_encoding.word_bits
    prices = {
        name: {
            source: np.zeros(image_shape(network.source_shape(source)), dtype=np.int64)
            for source in dict.fromkeys(p.source for p in network.incoming(name))
        }
        for name in network.populations
    }
    for target, source, window, bits in mapping.lists():
        prices[target][source][as_slices(window)] += bits // word_bits
    return {target: {name: words.ravel() for name, words in sources.items()} for target, sources in prices.items()}
