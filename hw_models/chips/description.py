"""Chips as data: formats and limits, read from `hw_models/chips/NAME.toml`. A new chip is a new file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import UserError
from . import names
from .names import chip_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Formats(_Strict):
    """What numbers and features the chip has; widths are bits, delays steps.

    Attributes:
        image_input: how a still image enters where nobody says how; one of `inputs`.
        neuron_options: what else its neurons can do, see `Population`.
        synaptic_bits: of what synapses bring to a neuron in one step, in the membrane's units, the sign aside; beyond
            them the chip wraps, which neither Lava nor the simulator does. None: as wide as the current.
    """

    inputs: tuple[Literal["spikes", "bias", "graded"], ...]
    image_input: Literal["spikes", "bias", "graded"]
    resets: tuple[Literal["zero", "subtract"], ...]
    neuron_options: tuple[Literal["lower bound", "start", "refractory time", "count of spikes"], ...] = ()
    max_weight_bits: int = Field(ge=1, le=8)
    max_weight_exp: int = Field(ge=0, le=7)
    max_delay: int = Field(ge=0)
    max_message_bits: int = Field(default=1, ge=1, le=24)
    synaptic_bits: int | None = Field(default=None, ge=8, le=23)

    @model_validator(mode="after")
    def _consistent(self) -> Formats:
        if self.image_input not in self.inputs:
            raise ValueError("image_input must be one of inputs")
        return self


class Registers(_Strict):
    """How wide a neuron's registers are. The hardware form holds no more than the largest that are allowed here.

    Attributes:
        threshold_bits: unsigned, in units of 64.
        bias_mantissa_bits: sign included.
        max_bias_exp: a bias is mantissa * 2^exp.
    """

    threshold_bits: int = Field(ge=1, le=17)
    bias_mantissa_bits: int = Field(ge=2, le=13)
    max_bias_exp: int = Field(ge=0, le=7)

    @property
    def largest_threshold(self) -> int:
        """In units of 64."""
        return (1 << self.threshold_bits) - 1

    @property
    def largest_mantissa(self) -> int:
        """Of a bias; the smallest is one further from zero."""
        return (1 << (self.bias_mantissa_bits - 1)) - 1


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
        decay_profiles_per_core: pairs of decays, of current and membrane, that the neurons of a core share.
        chips: chips of the largest system.
    """

    cores: Limit
    neurons_per_core: Limit
    synapse_memory_bits_per_core: Limit | None = None
    input_axons_per_core: Limit | None = None
    output_axons_per_core: Limit | None = None
    decay_profiles_per_core: Limit | None = None
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


class Prices(_Strict):
    """What an event costs: a set of `hw_models/energy/constants`.

    Attributes:
        constants: the set's name; times and energies of the events that Davies et al. 2018 list.
        assumed: the set is another chip's. Reports then carry that word, and compare no energies.
    """

    constants: str
    assumed: bool = False


class Sanafe(_Strict):
    """What SANA-FE calls the chip.

    Attributes:
        architecture: `sanafe.load_<architecture>()` makes it, and its units start with that word.
        constants: the set of `hw_models/energy/constants` that SANA-FE prices it by.
    """

    architecture: str = Field(pattern="^[a-z0-9_]+$")
    constants: str


class ChipDescription(_Strict):
    """One chip.

    Attributes:
        title: its name in texts.
        arithmetic: how its neurons round and overflow, a name of `hw_models.arithmetic.ARITHMETICS`.
        sanafe: None where SANA-FE has no such chip.
        sanafe_runs_as: the chip that SANA-FE simulates a network for this one on, where it does not have this one.
    """

    name: str
    title: str
    arithmetic: str
    sanafe_runs_as: str | None = None
    formats: Formats
    registers: Registers
    limits: Limits
    grid: TileGrid
    synapse_encoding: SynapseEncoding
    energy: Prices
    sanafe: Sanafe | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ChipDescription:
        if self.grid.columns * self.grid.rows * self.grid.cores_per_tile < self.limits.cores.value:
            raise ValueError("the grid has fewer cores than the chip")
        if self.limits.neurons_per_core.value > 1 << self.synapse_encoding.index_bits[-1]:
            raise ValueError("the widest index can't name every neuron of a core")
        return self


def load_chip(name: str) -> ChipDescription:
    """The chip of that name.

    Raises:
        UserError: no such chip, or a broken description.
    """
    path = names.CHIP_FOLDER / f"{name}.toml"
    if name not in chip_names():
        raise UserError(f"unknown chip {name!r}", remedy=f"choose one of {', '.join(chip_names())}")
    return read_chip_description(path)


def sanafe_chip(name: str) -> tuple[ChipDescription, Sanafe]:
    """The chip that SANA-FE simulates a network for chip `name` on, and what SANA-FE calls it.

    Raises:
        UserError: it has none.
    """
    chip = load_chip(name)
    if chip.sanafe is None and chip.sanafe_runs_as is not None:
        chip = load_chip(chip.sanafe_runs_as)
    if chip.sanafe is None:
        raise UserError(f"SANA-FE has no {chip.title}", remedy="use --engine fast, or export for another chip")
    return chip, chip.sanafe


def chips_with_reset(reset: str) -> list[str]:
    """Names of the chips whose neurons can be reset so."""
    return [name for name in chip_names() if reset in load_chip(name).formats.resets]


def chips_with_options(options: Iterable[str]) -> list[str]:
    """Names of the chips whose neurons can do all of that."""
    return [name for name in chip_names() if set(options) <= set(load_chip(name).formats.neuron_options)]


def read_chip_description(path: Path) -> ChipDescription:
    """The chip that a file describes.

    Raises:
        UserError: not TOML, a field missing or unknown, a value out of its range.
    """
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # of TOML, of its text, of pydantic
        raise UserError(f"broken chip description: {error}", where=path.name, remedy="repair the file") from error


@lru_cache(maxsize=32)  # every simulation asks; descriptions are frozen
def _parsed(text: str) -> ChipDescription:
    return ChipDescription.model_validate(tomllib.loads(text))
