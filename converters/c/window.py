"""Which places of its source a target place sees, as C expressions; what does nothing is left out of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .space import Space
from .synapses import Synapses


@dataclass(frozen=True)
class Window:
    """The window of a convolution.

    Attributes:
        left: its first column, which may lie outside.
        row: the row of `tap_y`.
        column: the column of `tap_x`.
        rows: True if there is more than one row to look at.
        padded_x, padded_y: True if the window may reach beyond the source.
        side_by_side: True if the events of a row of the window lie in one run, from column `begin` to before `end`.
        row_size: weights of a row.
        constants: name -> value of what the expressions use.
    """

    left: str
    row: str
    column: str
    rows: bool
    padded_x: bool
    padded_y: bool
    side_by_side: bool
    begin: str
    end: str
    row_size: str
    constants: dict[str, int | str]


@dataclass
class _Constants:
    """Gives numbers names, and remembers which."""

    prefix: str
    found: dict[str, int | str] = field(default_factory=dict)

    def __call__(self, name: str, value: int | str) -> str:
        full = f"{self.prefix}_{name}"
        self.found[full] = value
        return full

    def start(self, variable: str, axis: str, stride: int, padding: int) -> str:
        """First place of the window of target place `variable`."""
        if stride > 1 and variable != "0":
            variable = f"{variable} * {self('STRIDE_' + axis, stride)}"
        return f"{variable} - {self('PADDING_' + axis, padding)}" if padding else variable

    def tap(self, variable: str, axis: str, dilation: int) -> str:
        return f"{variable} * {self('DILATION_' + axis, dilation)}" if dilation > 1 else variable


def window_of(synapses: Synapses, source: Space, target: Space) -> Window:
    """The window of a projection with a geometry."""
    geometry = synapses.geometry
    assert geometry is not None
    (high, wide), (pad_y, pad_x), (apart_y, apart_x) = synapses.kernel, geometry.padding, geometry.dilation
    constants = _Constants(synapses.name.upper())
    rows = source.height > 1 or high > 1 or pad_y > 0
    width = f"SNN_{synapses.source.upper()}_WIDTH"
    if rows:
        constants("KERNEL_HEIGHT", high)
    end = f"left + {constants('KERNEL_WIDTH', wide)}"
    channels, into = f"SNN_{synapses.target.upper()}_CHANNELS", f"SNN_{synapses.source.upper()}_CHANNELS"
    if synapses.grouped:
        groups = constants("GROUPS", geometry.groups)
        constants("GROUP_CHANNELS", f"({into} / {groups})")
        channels = constants("GROUP_TARGETS", f"({channels} / {groups})")
    if rows or synapses.grouped or not (apart_x == 1 or wide == 1):
        constants("TAP_WEIGHTS", f"({into} * {channels})")
    top = constants.start("y" if target.height > 1 else "0", "Y", geometry.stride[0], pad_y)
    return Window(
        constants.start("x" if target.width > 1 else "0", "X", geometry.stride[1], pad_x),
        f"{top} + {constants.tap('tap_y', 'Y', apart_y)}",
        f"left + {constants.tap('tap_x', 'X', apart_x)}",
        rows,
        pad_x > 0,
        pad_y > 0,
        (apart_x == 1 or wide == 1) and not synapses.grouped,
        f"within(left, {width})" if pad_x else "left",
        f"within({end}, {width})" if pad_x else end,
        channels,
        constants.found,
    )
