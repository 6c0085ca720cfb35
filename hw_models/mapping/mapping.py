"""A network on the cores of a chip: which core holds which neurons, what it uses of each limit, and where it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..chip_network.form import ChipNetwork
from ..chips.description import ChipDescription, load_chip
from ..errors import UserError
from ..progress import tracked
from ..samples.recording import EncodedSamples
from .convolution_synapses import ConvolutionSynapses
from .core_box import Box, box_numbers
from .core_edges import INPUT, edges, reached_sources
from .core_limit import CoreLimit
from .does_not_fit import DoesNotFit
from .matrix_synapses import MatrixSynapses
from .output_axons import cut_by_output_axons, output_axons
from .partition import CoreUse, PopulationCut, Synapses
from .placement import Flow, Placement, hops, naive_placement, short_placement, tile_position

PLACEMENT_SAMPLES = 4


@dataclass(frozen=True)
class Core:
    """One core.

    Attributes:
        box: its neurons: (start, stop) along each axis of the population's shape.
        tile: (column, row) on its chip.
    """

    population: str
    box: tuple[tuple[int, int], ...]
    use: CoreUse
    chip: int
    tile: tuple[int, int]

    def binding_limit(self, chip: ChipDescription) -> CoreLimit:
        """The limit that the core is nearest to."""
        return max((share, name) for name, share in self.use.shares(chip).items())[1]


@dataclass
class Mapping:
    """The result.

    Attributes:
        cores: in the order of the network's populations and, within one, of its boxes.
        placed, naive: (tile hops, messages between chips) of the messages that placement assumed, as placed and with
            the cores in the network's order.
    """

    network: ChipNetwork
    chip: ChipDescription
    cores: list[Core]
    placed: tuple[float, float]
    naive: tuple[float, float]
    _cuts: dict[str, PopulationCut]
    _first: dict[str, int]

    @property
    def chips(self) -> int:
        """Number of chips."""
        return 1 + max((core.chip for core in self.cores), default=0)

    def cores_of(self, population: str) -> list[Core]:
        """The cores of one population."""
        return [core for core in self.cores if core.population == population]

    def binding_limit(self) -> CoreLimit:
        """The limit that most cores are nearest to."""
        return Counter(core.binding_limit(self.chip) for core in self.cores).most_common(1)[0][0]

    def core_numbers(self, population: str) -> np.ndarray:
        """Index in `cores` of each neuron's core, int64, three axes (see core_box.py)."""
        cut = self._cuts[population]
        return box_numbers(cut.shape, cut.tile) + self._first[population]

    def reached(self) -> Iterator[tuple[int, str, Box, np.ndarray]]:
        """Who sends to each core: (target core, source, window, bool [C, H, W] of the window), a source at a time.

        A neuron is True that has a synapse on the core, in any projection: its spike costs one message there.
        """
        for name, cut in tracked(list(self._cuts.items()), "what a spike sends, layers"):
            for number, source, window, touched in reached_sources(cut):
                yield self._first[name] + number, source, window, touched

    def lists(self) -> Iterator[tuple[str, str, Box, np.ndarray]]:
        """What a message reads on each core: (population there, source, window, int64 bits [C, H, W] of the window).

        A projection and core at a time; bits are whole words, see synapse_reads.py.
        """
        for name, cut in tracked(list(self._cuts.items()), "what a spike reads, layers"):
            for box, synapses in product(cut.boxes, cut.incoming):
                yield name, synapses.source, *synapses.lists(box)

    def edges(self, spikes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(source core or INPUT, target core, messages), see core_edges.py; `spikes`: of each neuron, a source."""
        return edges(self._cuts, self._first, spikes)


def map_network(network: ChipNetwork, *, spikes: dict[str, np.ndarray] | None = None) -> Mapping:
    """Cuts every population into cores and places them.

    A core holds neurons of one population.

    Args:
        spikes: input or population -> spikes of each neuron (any shape of its size), which placement weighs messages
            by; by default all neurons spike equally.

    Raises:
        DoesNotFit: a limit that no split can keep.
        UserError: the chip is unknown, or a loop has no delay.
    """
    chip = load_chip(network.chip)
    try:
        depths = network.depths()
    except ValueError as error:
        raise UserError(str(error), remedy="give at least one projection of the loop a delay") from error
    cuts = {
        name: PopulationCut(population, _synapses(network, name, chip, depths), chip)
        for name, population in tracked(list(network.populations.items()), "mapping: cutting into cores, layers")
    }
    cut_by_output_axons(network, cuts, depths)
    first = dict(zip(cuts, np.cumsum([0, *(len(cut.boxes) for cut in cuts.values())]).tolist(), strict=False))
    cores = sum(len(cut.boxes) for cut in cuts.values())
    chips = -(-cores // chip.limits.cores.value)
    if chip.limits.chips is not None and chips > chip.limits.chips.value:
        raise DoesNotFit("chips", chips, chip.limits.chips.value, chip=chip.title)
    source, target, messages = edges(cuts, first, spikes)
    inside = source != INPUT  # no source says where the input enters the mesh
    flow = Flow(source[inside], target[inside], messages[inside])
    placement = short_placement(cores, flow, chip)
    column, row = tile_position(placement.place, chip)
    made: list[Core] = []
    for name, cut in cuts.items():
        axes = len(network.populations[name].shape)
        for box, use in zip(cut.boxes, cut.with_output_axons(output_axons(name, cuts).tolist()), strict=True):
            n = len(made)
            made.append(Core(name, box[:axes], use, int(placement.chip[n]), (int(column[n]), int(row[n]))))
    return Mapping(
        network,
        chip,
        made,
        placed=_travel(flow, placement, chip),
        naive=_travel(flow, naive_placement(cores, chip), chip),
        _cuts=cuts,
        _first=first,
    )


def map_or_refusal(network: ChipNetwork, encoded: EncodedSamples) -> tuple[Mapping | None, DoesNotFit | None]:
    """The mapping, placed by the spikes of the first few samples; or why there is none."""
    from ..simulator import simulate

    counts = simulate(network, encoded.part(slice(PLACEMENT_SAMPLES)), record=("counts",)).counts
    spikes = {name: count.sum(axis=0) for name, count in counts.items()}
    # what enters weighs nothing in placement: see Flow's use
    spikes |= {name: np.zeros(item.shape) for name, item in network.inputs.items()}
    try:
        return map_network(network, spikes=spikes), None
    except DoesNotFit as refusal:
        return None, refusal


def _travel(flow: Flow, placement: Placement, chip: ChipDescription) -> tuple[float, float]:
    across, along, between_chips = hops(flow, placement, chip)
    return across + along, between_chips


def _synapses(network: ChipNetwork, name: str, chip: ChipDescription, depths: dict[str, int]) -> list[Synapses]:
    made: list[Synapses] = []
    for projection in network.incoming(name):
        delay = network.pipeline_delay(projection, depths)
        source_shape = network.source_shape(projection.source)
        if projection.geometry is None:
            target_shape = network.populations[name].shape
            made.append(MatrixSynapses(projection, source_shape, target_shape, chip.synapse_encoding, delay))
        else:
            made.append(ConvolutionSynapses(projection, source_shape, chip.synapse_encoding, delay))
    return made
