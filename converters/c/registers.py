"""Registers of a population as the C code holds them: one number for all, one a channel, or one a neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .space import Space


@dataclass(frozen=True, eq=False)
class Register:
    """One register.

    Attributes:
        name: identifier, without the prefix.
        values: [1], [channels] or [size], in the order of the memory.
        per: "layer", "channel" or "neuron".
        ctype: type of the array, where there is one.
    """

    name: str
    values: np.ndarray
    per: str
    ctype: str

    @property
    def shared(self) -> bool:
        """True if all neurons have the same value."""
        return self.per == "layer"

    @property
    def always_zero(self) -> bool:
        """True if it does nothing, wherever it is added."""
        return not self.values.any()

    @property
    def value(self) -> int:
        """The value that all neurons share."""
        return int(self.values[0])

    @property
    def expression(self) -> str:
        """C, for the neuron `channel` of `place`."""
        if self.per == "layer":
            return f"SNN_{self.name.upper()}"
        if self.per == "channel":
            return f"snn_{self.name}[channel]"
        return f"snn_{self.name}[neurons + channel]"

    def at_neuron(self, channels: str) -> str:
        """C, for the neuron numbered `neuron` in the order of the memory."""
        if self.per == "layer":
            return self.expression
        return f"snn_{self.name}[neuron{f' % {channels}' if self.per == 'channel' else ''}]"


def register(name: str, values: np.ndarray, shape: tuple[int, ...], space: Space, ctype: str) -> Register:
    """The smallest form that holds all values."""
    laid_out = space.laid_out(values.astype(np.int64), shape)
    by_place = laid_out.reshape(space.places, space.channels)
    if (laid_out == laid_out[0]).all():
        return Register(name, laid_out[:1], "layer", ctype)
    if (by_place == by_place[0]).all():
        return Register(name, by_place[0], "channel", ctype)
    return Register(name, laid_out, "neuron", ctype)
