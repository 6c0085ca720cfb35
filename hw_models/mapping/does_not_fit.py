"""A network that a chip has no room for, in words."""

from __future__ import annotations

from typing import Literal

from ..errors import CheckFailed
from .core_limit import CoreLimit

Limit = CoreLimit | Literal["chips"]
LIMIT_WORDS: dict[Limit, str] = {
    "neurons_per_core": "neurons",
    "synapse_memory_bits_per_core": "bits of synapse memory",
    "input_axons_per_core": "input axons",
    "output_axons_per_core": "output axons",
    "decay_profiles_per_core": "decay profiles",
    "chips": "chips",
}
REMEDIES: dict[Limit, str] = {
    "synapse_memory_bits_per_core": "take fewer weight bits, source channels or kernel taps, or prune weights",
    "input_axons_per_core": "give the neuron fewer source neurons: pool before the layer, or prune weights",
    "output_axons_per_core": "give the layers that it leads to fewer channels or neurons, or prune weights",
    "decay_profiles_per_core": "train with decays a layer or a channel, or share them: dalif-train --quantize",
    "chips": "take a smaller network",
}


class DoesNotFit(CheckFailed):
    """A limit of the chip is exceeded and no split can help.

    Attributes:
        limit: name of the limit in the chip's file.
        needed, available: in the limit's own unit.
    """

    def __init__(self, limit: Limit, needed: int, available: int, *, layer: str | None = None, chip: str = "the chip"):
        self.limit, self.needed, self.available, self.layer = limit, needed, available, layer
        words = LIMIT_WORDS[limit]
        if limit == "chips":
            what = f"needs {needed:,} chips, the largest {chip} system has {available:,}"
        else:
            what = (
                f"one neuron alone needs {needed:,} {words}, a core of {chip} has {available:,} "
                f"({needed / available:.2f} times)"
            )
        super().__init__(f"does not fit: {what}", where=layer and f"layer {layer}", remedy=REMEDIES[limit])
