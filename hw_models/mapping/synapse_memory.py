"""Bits that lists of synapses take in a core's memory, by Loihi 1's encoding.

From nengo-loihi, `block.py`, `SynapseConfig.bits_per_axon`: a list of n synapses is stored in blocks of 64; a block
takes n * (weight bits + delay bits + tag bits [+ index bits]) + 10 header bits, rounded up to words of 64. The index
names the target neuron and is left out in dense lists, which hold every neuron of the core in order. Tags belong to
learning: none here.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ..chips.description import SynapseEncoding

Bits = TypeVar("Bits", int, np.ndarray)


def weight_field(weight: np.ndarray, encoding: SynapseEncoding) -> int:
    """Width of the weight field, bits: the compiler's grid, rounded up to a width that exists.

    Integers lie on multiples of 2^(8 - bits), or of 2^(9 - bits) where signs are mixed (see `weight_grid` of the
    compiler), so the lowest bit that any weight sets tells the width.
    """
    used = int(np.bitwise_or.reduce(np.abs(weight.astype(np.int64)), axis=None))
    lowest = (used & -used).bit_length() - 1 if used else 8
    mixed = bool((weight > 0).any() and (weight < 0).any())
    return _width(max(1, 8 + mixed - lowest), encoding.weight_bits)


def index_field(neurons: int, encoding: SynapseEncoding) -> int:
    """Width of an index that can name each of a core's neurons, bits."""
    return _width((neurons - 1).bit_length(), encoding.index_bits)


def delay_field(delay: int) -> int:
    """Width of the delay field, bits: none without a delay."""
    return max(0, delay).bit_length()


def list_bits(synapses: np.ndarray, bits_a_synapse: int, encoding: SynapseEncoding) -> np.ndarray:
    """Bits of lists of so many synapses each; an empty list takes none. int64, the shape of `synapses`."""
    whole, rest = np.divmod(np.asarray(synapses, dtype=np.int64), encoding.block_synapses)
    full = _words(encoding.block_synapses * bits_a_synapse + encoding.header_bits, encoding)
    last = _words(rest * bits_a_synapse + encoding.header_bits, encoding)
    bits: np.ndarray = whole * full + np.where(rest, last, 0)
    return bits


def _words(bits: Bits, encoding: SynapseEncoding) -> Bits:
    return -(-bits // encoding.word_bits) * encoding.word_bits


def _width(bits: int, widths: tuple[int, ...]) -> int:
    return next((width for width in widths if width >= bits), widths[-1])
