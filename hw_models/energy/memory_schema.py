"""The shape of the report's `memory`, see `dalif_deploy.hw_models.energy.memory`."""

from __future__ import annotations

from .schema_base import Count, OverSamples, Part, Status


class Accesses(Part):
    """What a sample reads and writes; synapses null where the network is not mapped."""

    synapse_words_read: OverSamples | None
    synapse_bytes_read: OverSamples | None
    state_bytes_read: OverSamples
    state_bytes_written: OverSamples


class LayerAccesses(Accesses):
    """Accesses on the cores of a layer."""

    name: str


class Memory(Part):
    """Accesses a layer and in all; a word of synapse memory and a neuron's state in bits."""

    status: Status
    word_bits: Count | None
    state_bits: Count
    layers: list[LayerAccesses]
    total: Accesses
    no_words_because: str | None
    not_counted: list[str]
