"""Chips as data: formats and limits, read from `hw_models/chips/NAME.toml`. A new chip is a new file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHIP_FOLDER = Path(__file__).parent / "chips"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Formats(_Strict):
    """What numbers and features the chip has; widths are bits, delays steps.

    Attributes:
        synaptic_bits: of what synapses bring to a neuron in one step, in the membrane's units, the sign aside; beyond
            them the chip wraps, which neither Lava nor the simulator does. None: as wide as the current.
    """

    inputs: tuple[Literal["spikes", "bias", "graded"], ...]
    resets: tuple[Literal["zero", "subtract"], ...]
    max_weight_bits: int = Field(ge=1, le=8)
    max_weight_exp: int = Field(ge=0, le=7)
    max_delay: int = Field(ge=0)
    max_message_bits: int = Field(default=1, ge=1, le=24)
    synaptic_bits: int | None = Field(default=None, ge=8, le=23)


class _Sourced(_Strict):
    """Where figures were read and how far to trust that; `assumed`: no source gives them for this chip."""

    source: str = Field(min_length=8)
    trust: Literal["Q", "Q2", "S", "C", "M"]
    assumed: bool = False


class Limit(_Sourced):
    """One limit."""

    value: int = Field(gt=0)


class Limits(_Strict):
    """What a chip has room for. None: no source gives the limit, so it is not checked.

    Attributes:
        cores: neuron cores of a chip.
        input_axons_per_core: lists of synapses that a message from elsewhere can name.
        output_axons_per_core: (axon, destination core) pairs.
        chips: chips of the largest system.
    """

    cores: Limit
    neurons_per_core: Limit
    synapse_memory_bits_per_core: Limit | None = None
    input_axons_per_core: Limit | None = None
    output_axons_per_core: Limit | None = None
    chips: Limit | None = None


class TileGrid(_Sourced):
    """Tiles of cores on a rectangular mesh; a message hops from tile to tile."""

    columns: int = Field(gt=0)
    rows: int = Field(gt=0)
    cores_per_tile: int = Field(gt=0)


class SynapseEncoding(_Sourced):
    """How lists of synapses lie in a core's memory, and how axons name them. See hw_models/mapping/synapse_memory.py.

    Attributes:
        weight_bits, index_bits: field widths that exist, ascending.
        word_bits: a block of synapses is rounded up to whole words.
        block_synapses: synapses of a full block.
        header_bits: beside the synapses, a block.
        base_span: neurons that a list can be shifted by; beyond, a shared list is stored again. None: no such limit.
        axon_id_bits: bits that name an axon in a population message with up to 2^atom_bits atoms (source channels);
            each atom bit above takes one, up to max_atom_bits.
        wide_axon_slots: output axons that a population axon takes where axon_id_bits do not suffice.
    """

    weight_bits: tuple[int, ...] = Field(min_length=1)
    index_bits: tuple[int, ...] = Field(min_length=1)
    word_bits: int = Field(gt=0)
    block_synapses: int = Field(gt=0)
    header_bits: int = Field(ge=0)
    base_span: int | None = Field(default=None, gt=0)
    axon_id_bits: int = Field(gt=0)
    atom_bits: int = Field(ge=0)
    max_atom_bits: int = Field(ge=0)
    wide_axon_slots: int = Field(gt=0)

    @model_validator(mode="after")
    def _ascending(self) -> SynapseEncoding:
        for name in ("weight_bits", "index_bits"):
            if list(getattr(self, name)) != sorted(set(getattr(self, name))):
                raise ValueError(f"{name} must ascend")
        return self


class ChipDescription(_Strict):
    """One chip."""

    name: str
    title: str
    formats: Formats
    limits: Limits
    grid: TileGrid
    synapse_encoding: SynapseEncoding

    @model_validator(mode="after")
    def _consistent(self) -> ChipDescription:
        if self.grid.columns * self.grid.rows * self.grid.cores_per_tile < self.limits.cores.value:
            raise ValueError("the grid has fewer cores than the chip")
        if self.limits.neurons_per_core.value > 1 << self.synapse_encoding.index_bits[-1]:
            raise ValueError("the widest index can't name every neuron of a core")
        return self


def chip_names() -> list[str]:
    """Names of all chips that have a file."""
    return sorted(path.stem for path in CHIP_FOLDER.glob("*.toml"))


def load_chip(name: str) -> ChipDescription:
    """The chip of that name.

    Raises:
        UserError: no such chip, or a broken description.
    """
    path = CHIP_FOLDER / f"{name}.toml"
    if name not in chip_names():
        raise UserError(f"unknown chip {name!r}", remedy=f"choose one of {', '.join(chip_names())}")
    return read_chip_description(path)


def read_chip_description(path: Path) -> ChipDescription:
    """The chip that a file describes.

    Raises:
        UserError: not TOML, a field missing or unknown, a value out of its range.
    """
    try:
        return ChipDescription.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:  # of TOML, of its text, of pydantic
        raise UserError(f"broken chip description: {error}", where=path.name, remedy="repair the file") from error
