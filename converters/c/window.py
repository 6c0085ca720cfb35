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
        row_outside, column_outside: when the row or column lies outside the source; empty if it never does.
        side_by_side: True if the events of a row of the window lie in one run, from column `begin` to before `end`.
        row_size: weights of a row.
        constants: name -> value of what the expressions use.
    """

    left: str
    row: str
    column: str
    rows: bool
    row_outside: str
    column_outside: str
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
    lefts = [place * geometry.stride[1] - pad_x for place in range(target.width)]
    tops = [place * geometry.stride[0] - pad_y for place in range(target.height)]
    return Window(
        constants.start("x" if target.width > 1 else "0", "X", geometry.stride[1], pad_x),
        f"{top} + {constants.tap('tap_y', 'Y', apart_y)}",
        f"left + {constants.tap('tap_x', 'X', apart_x)}",
        rows,
        _outside("row", tops, (high - 1) * apart_y, source.height, f"SNN_{synapses.source.upper()}_HEIGHT"),
        _outside("column", lefts, (wide - 1) * apart_x, source.width, width),
        (apart_x == 1 or wide == 1) and not synapses.grouped,
        _held("left", lefts, source.width, width),
        _held(end, [left + wide for left in lefts], source.width, width),
        channels,
        constants.found,
    )


def _outside(name: str, starts: list[int], reach: int, size: int, size_name: str) -> str:
    """Condition for a row or column outside the source, of windows that begin at `starts` and reach `reach` further."""
    below, beyond = min(starts, default=0) < 0, max(starts, default=0) + reach >= size
    return " || ".join([f"{name} < 0"] * below + [f"{name} >= {size_name}"] * beyond)


def _held(expression: str, values: list[int], size: int, size_name: str) -> str:
    """The nearest of 0..size, of an expression that takes these values."""
    below, beyond = min(values, default=0) < 0, max(values, default=0) > size
    if below and beyond:
        return f"within({expression}, {size_name})"
    if below:
        return f"{expression} < 0 ? 0 : {expression}"
    return f"{expression} > {size_name} ? {size_name} : {expression}" if beyond else expression
