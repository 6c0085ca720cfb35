"""A ChipNetwork on the cores of a chip. What is modelled, with formulas and sources: docs/mapping.md.

core_box.py               a core's share of a population
core_limit.py             what limits a core
synapse_memory.py         Loihi's encoding of synapse lists, in bits
population_axons.py       axons of an image: a pixel each
matrix_synapses.py        a dense projection, seen from a core
convolution_synapses.py   a convolution, seen from a core
partition.py              a population cut into cores
output_axons.py           smaller cores where output axons are too many
core_edges.py             who sends to whom
placement.py              cores onto chips and tiles
mapping.py                all of it: map_network
synapse_reads.py          words of synapse memory that messages read
traffic.py                messages and hops of real spikes
does_not_fit.py           the refusal
"""

from .does_not_fit import DoesNotFit
from .mapping import PLACEMENT_SAMPLES, Core, Mapping, map_network, map_or_refusal
from .traffic import TrafficCounter, TrafficCounts, joined_traffic

__all__ = [
    "PLACEMENT_SAMPLES",
    "Core",
    "DoesNotFit",
    "Mapping",
    "TrafficCounter",
    "TrafficCounts",
    "joined_traffic",
    "map_network",
    "map_or_refusal",
]
