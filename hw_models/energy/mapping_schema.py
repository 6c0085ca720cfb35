"""The shape of the report's `mapping`, see `dalif_deploy.hw_models.mapping.figures`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .schema_base import Amount, Count, OverSamples, Part, Share, Trust

CoreLimit = Literal["neurons_per_core", "synapse_memory_bits_per_core", "input_axons_per_core", "output_axons_per_core"]
Range = Annotated[list[Count], Field(min_length=2, max_length=2)]


class _Sourced(Part):
    source: str
    trust: Trust
    assumed: bool


class CheckedLimit(_Sourced):
    """Use of a limit by the cores."""

    name: CoreLimit
    checked: Literal[True]
    limit: Annotated[int, Field(gt=0)]
    largest_use: Count
    mean_use: Amount
    largest_share: Share
    mean_share: Share


class UncheckedLimit(Part):
    """A limit that no source gives."""

    name: CoreLimit
    checked: Literal[False]
    limit: None
    why: str
    largest_use: Count
    mean_use: Amount


class CoreUse(Part):
    """What a core holds of each limited thing."""

    neurons_per_core: Count
    synapse_memory_bits_per_core: Count
    input_axons_per_core: Count
    output_axons_per_core: Count


class MappedPopulation(Part):
    """How a layer was cut: `tile` is the piece that the first core holds."""

    name: str
    shape: list[Count]
    tile: list[Count]
    cores: Count
    binding_limit: CoreLimit
    largest_use: CoreUse


class Core(CoreUse):
    """A core, its piece of a layer, its messages a sample (means)."""

    population: str
    slice: list[Range]
    chip: Count
    tile: Range
    binding_limit: CoreLimit
    messages_in: Amount
    messages_out: Amount


class Grid(_Sourced):
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
    core_list: list[Core]
    grid: Grid
    synapse_encoding: _Sourced
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
