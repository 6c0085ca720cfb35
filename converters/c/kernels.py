"""The inner loops that a network needs: one for each combination of types, written once, named after what they add."""

from __future__ import annotations

from dataclasses import dataclass

from .synapses import Synapses

SHORT = {"int8_t": "i8", "uint8_t": "u8", "int16_t": "i16", "int32_t": "i32", "uint32_t": "u32"}


@dataclass(frozen=True)
class Kernel:
    """Adds the weights of a run of events to the sums of one place.

    Attributes:
        sum_type, weight_type: C types.
        level_type: of graded messages; None for spikes.
        scaled: True if there is a factor beside the weight.
        grouped: True if an event reaches the channels of its group only.
    """

    sum_type: str
    weight_type: str
    level_type: str | None
    scaled: bool
    grouped: bool

    @property
    def name(self) -> str:
        """Of the C function."""
        words = ["add", "scaled"] if self.scaled else ["add"]
        words.append("spikes" if self.level_type is None else f"levels_{SHORT[self.level_type]}")
        words += ["by_group"] if self.grouped else []
        return "_".join([*words, SHORT[self.weight_type], SHORT[self.sum_type]])


def kernel(sum_type: str, synapses: Synapses, level_type: str | None, *, scaled: bool) -> Kernel:
    """The inner loop of a projection."""
    return Kernel(sum_type, synapses.ctype, level_type, scaled, synapses.grouped)
