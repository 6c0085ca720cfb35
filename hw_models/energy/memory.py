"""What a chip's cores read and write while a sample runs: exact counts, in the formats of the chip's description.

* **Synapses**: the words that messages read, see `dalif_deploy.hw_models.mapping.synapse_reads`; needs a mapping.
* **State**: current and membrane of a neuron, 24 bits each. Every neuron is read in each step; an active update
  (see counts.py) writes both back.

Accesses, not energy: no source prices a word or a bit of Loihi's memories, and the prices of operations and updates
already contain their accesses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..chip_network.form import STATE_LIMIT
from ..samples.statistics import over_samples
from .counts import ActivityCounts

STATE_BITS = 2 * STATE_LIMIT.bit_length()  # u and v, each with its sign
NOT_COUNTED = [
    "sums of synaptic input on their way to the neuron, axon tables, biases, thresholds and decays: no source says how "
    "a core keeps them",
    "weights and registers written when a network is loaded, membranes read out or reset by the host",
]


def memory_figures(counts: ActivityCounts) -> dict[str, Any]:
    """Accesses of a sample, a layer and in all; synapses None without a mapping."""
    traffic = counts.traffic
    encoding = None if traffic is None else traffic.mapping.chip.synapse_encoding
    words = {} if traffic is None else traffic.words_read
    all_words = sum(words.values(), np.zeros(counts.samples, dtype=np.int64))
    word_bits = None if encoding is None else encoding.word_bits
    assumed = encoding is not None and encoding.assumed
    return {
        "status": "assumed encoding of synapses" if assumed else "modelled accesses, exactly counted",
        "word_bits": word_bits,
        "state_bits": STATE_BITS,
        "layers": [
            {
                "name": name,
                **_synapses(words.get(name), word_bits),
                **_state(population.updates_active, population.updates_inactive),
            }
            for name, population in counts.populations.items()
        ],
        "total": {**_synapses(all_words, word_bits), **_state(counts.updates_active(), counts.updates_inactive())},
        "no_words_because": None if traffic else "synapses lie in words only where the network is mapped onto cores",
        "not_counted": NOT_COUNTED,
    }


def _synapses(words: np.ndarray | None, word_bits: int | None) -> dict[str, dict[str, float] | None]:
    if words is None or word_bits is None:
        return {"synapse_words_read": None, "synapse_bytes_read": None}
    return {"synapse_words_read": over_samples(words), "synapse_bytes_read": over_samples(words * word_bits / 8)}


def _state(active: np.ndarray, inactive: np.ndarray) -> dict[str, dict[str, float]]:
    return {
        "state_bytes_read": over_samples((active + inactive) * STATE_BITS / 8),
        "state_bytes_written": over_samples(active * STATE_BITS / 8),
    }
