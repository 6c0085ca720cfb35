"""The report's `mapping`: cores, chips, use of limits, traffic of real spikes."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ...chips.description import ChipDescription
from ...mapping import Core, DoesNotFit, Mapping, TrafficCounts
from ...mapping.core_limit import CORE_LIMITS, CoreLimit
from ..figures import Amount, Count, OverSamples, Part, Share, Trust

NOT_MODELLED = [
    "several populations on one core",
    "where the input enters the mesh: its messages have no hops",
    "the way between chips: its messages are counted, not their hops",
    "fewer neurons per core for long delays; shared register sets of a core",
]

Range = Annotated[list[Count], Field(min_length=2, max_length=2)]


class Sourced(Part):
    """Where a figure of the chip comes from."""

    source: str
    trust: Trust
    assumed: bool


class LimitUse(Part):
    """Use of a limit by the cores."""

    name: CoreLimit
    largest_use: Count
    mean_use: Amount


class UncheckedLimit(LimitUse):
    """A limit that no source gives."""

    checked: Literal[False]
    limit: None
    why: str


class CheckedLimit(LimitUse):
    """A limit with its source; shares are of the limit."""

    checked: Literal[True]
    limit: Annotated[int, Field(gt=0)]
    largest_share: Share
    mean_share: Share
    source: str
    trust: Trust
    assumed: bool


class CoreUse(Part):
    """What a core holds of each limited thing."""

    neurons_per_core: Count
    synapse_memory_bits_per_core: Count
    input_axons_per_core: Count
    output_axons_per_core: Count
    decay_profiles_per_core: Count


class MappedPopulation(Part):
    """How a layer was cut: `tile` is the piece that the first core holds."""

    name: str
    shape: list[Count]
    tile: list[Count]
    cores: Count
    binding_limit: CoreLimit
    largest_use: CoreUse


class Piece(Part):
    """A piece of a layer and the core that holds it, by its chip and tile."""

    population: str
    slice: list[Range]
    chip: Count
    tile: Range


class CoreMessages(Part):
    """What binds a core, and its messages a sample (means)."""

    binding_limit: CoreLimit
    messages_in: Amount
    messages_out: Amount


class UsedCore(CoreMessages, CoreUse, Piece):
    """A core, its piece of a layer, what it holds, its messages."""


class Grid(Sourced):
    """Tiles of a chip."""

    columns: Count
    rows: Count
    cores_per_tile: Count


class Traffic(Part):
    """Messages and hops of real spikes, a sample."""

    messages: OverSamples
    from_input: OverSamples
    between_chips: OverSamples
    hops_east_west: OverSamples
    hops_north_south: OverSamples


class Placement(Part):
    """Hops and messages between chips, placed and in the network's order."""

    hops: Amount
    between_chips: Amount
    naive_hops: Amount
    naive_between_chips: Amount


class Fits(Part):
    """The network on its cores."""

    status: Literal["fits"]
    cores: Count
    chips: Count
    cores_a_chip: Count
    tiles: Count
    binding_limit: CoreLimit
    limits: list[CheckedLimit | UncheckedLimit]
    populations: list[MappedPopulation]
    core_list: list[UsedCore]
    grid: Grid
    synapse_encoding: Sourced
    traffic: Traffic
    placement: Placement
    not_modelled: list[str]


class Refused(Part):
    """Which limit, by how much."""

    status: Literal["does not fit"]
    why: str
    limit: CoreLimit | Literal["chips"]
    layer: str | None
    needed: Count
    available: Count


class NotMapped(Part):
    """Nobody tried."""

    status: Literal["not mapped"]


MappingFigures = Annotated[Fits | Refused | NotMapped, Field(discriminator="status")]


def mapping_figures(traffic: TrafficCounts | None, refusal: DoesNotFit | None) -> MappingFigures:
    """The network on its cores, why it does not fit, or that nobody tried."""
    if refusal is not None:
        return Refused(
            status="does not fit",
            why=str(refusal),
            limit=refusal.limit,
            layer=refusal.layer,
            needed=refusal.needed,
            available=refusal.available,
        )
    if traffic is None:
        return NotMapped(status="not mapped")
    mapping, chip = traffic.mapping, traffic.mapping.chip
    return Fits(
        status="fits",
        cores=len(mapping.cores),
        chips=mapping.chips,
        cores_a_chip=chip.limits.cores.value,
        tiles=len({(core.chip, core.tile) for core in mapping.cores}),
        binding_limit=mapping.binding_limit(),
        limits=[_limit(name, mapping.cores, chip) for name in CORE_LIMITS],
        populations=[_population(name, mapping) for name in mapping.network.populations],
        core_list=_core_list(traffic),
        grid=Grid(**chip.grid.model_dump()),
        synapse_encoding=Sourced(**chip.synapse_encoding.model_dump(include={"source", "trust", "assumed"})),
        traffic=Traffic(**{kind: OverSamples.of(counts) for kind, counts in traffic.counts.items()}),
        placement=Placement(
            hops=mapping.placed[0],
            between_chips=mapping.placed[1],
            naive_hops=mapping.naive[0],
            naive_between_chips=mapping.naive[1],
        ),
        not_modelled=NOT_MODELLED,
    )


def _limit(name: CoreLimit, cores: list[Core], chip: ChipDescription) -> CheckedLimit | UncheckedLimit:
    limit = getattr(chip.limits, name)
    used = [getattr(core.use, name) for core in cores]
    largest, mean = max(used), float(np.mean(used))
    if limit is None:
        why = "not checked: no source"
        return UncheckedLimit(name=name, largest_use=largest, mean_use=mean, checked=False, limit=None, why=why)
    return CheckedLimit(
        name=name,
        largest_use=largest,
        mean_use=mean,
        checked=True,
        limit=limit.value,
        largest_share=largest / limit.value,
        mean_share=mean / limit.value,
        **limit.model_dump(include={"source", "trust", "assumed"}),
    )


def _population(name: str, mapping: Mapping) -> MappedPopulation:
    cores = mapping.cores_of(name)
    nearest = [core.binding_limit(mapping.chip) for core in cores]
    return MappedPopulation(
        name=name,
        shape=list(mapping.network.populations[name].shape),
        tile=[stop - start for start, stop in cores[0].box],
        cores=len(cores),
        binding_limit=max(sorted(set(nearest)), key=nearest.count),
        largest_use=CoreUse(**{limit: max(getattr(core.use, limit) for core in cores) for limit in CORE_LIMITS}),
    )


def _core_list(traffic: TrafficCounts) -> list[UsedCore]:
    mapping = traffic.mapping
    samples = len(traffic.counts["messages"])
    source, target, messages = mapping.edges(traffic.spikes)
    cores = len(mapping.cores)
    received = np.bincount(target, messages, minlength=cores) / samples
    inside = source >= 0
    sent = np.bincount(source[inside], messages[inside], minlength=cores) / samples
    return [
        UsedCore(
            population=core.population,
            slice=[list(axis) for axis in core.box],
            chip=core.chip,
            tile=list(core.tile),
            **{limit: getattr(core.use, limit) for limit in CORE_LIMITS},
            binding_limit=core.binding_limit(mapping.chip),
            messages_in=float(received[number]),
            messages_out=float(sent[number]),
        )
        for number, core in enumerate(mapping.cores)
    ]
