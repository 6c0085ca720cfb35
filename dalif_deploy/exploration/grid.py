"""The words after --sweep, `KEY=V1,V2`, as points: every combination of the values."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.chips.names import chip_names
from dalif_deploy.hw_models.errors import UserError

SCALE_GROUPS = ("layer", "channel")  # the compiler's, which would bring torch; a test holds them together


class Key(NamedTuple):
    """A setting: the value that a word stands for (ValueError: none), and what may be said."""

    value: Callable[[str], Any]
    valid: str


def _whole(low: int, high: int | None = None) -> Key:
    def value(word: str) -> int:
        number = int(word)
        if number < low or (high is not None and number > high):
            raise ValueError(word)
        return number

    return Key(value, f"whole numbers from {low}" + ("" if high is None else f" to {high}"))


def _one_of(names: tuple[str, ...]) -> Key:
    def value(word: str) -> str:
        if word not in names:
            raise ValueError(word)
        return word

    return Key(value, ", ".join(names))


def sweep_keys() -> dict[str, Key]:
    """All settings that can be swept: those of dalif-export that need no samples."""
    formats = [load_chip(name).formats for name in chip_names()]
    return {
        "weight-bits": _whole(1, max(chip.max_weight_bits for chip in formats)),
        "steps": _whole(1),
        "chip": _one_of(tuple(chip_names())),
        "scale-group": _one_of(SCALE_GROUPS),
        "input": _one_of(tuple(dict.fromkeys(mode for chip in formats for mode in chip.inputs))),
    }


def parse_sweep(words: list[str]) -> dict[str, list[Any]]:
    """Values of each key, in the order given, each once.

    Raises:
        UserError: no `KEY=...`, an unknown key or value, a key given twice.
    """
    keys = sweep_keys()
    values: dict[str, list[Any]] = {}
    for word in words:
        name, equals, listed = word.partition("=")
        if not equals:
            raise UserError(f"{word!r} is not KEY=VALUE,VALUE", where="--sweep", remedy=f"keys: {', '.join(keys)}")
        if name not in keys:
            raise UserError(f"unknown key {name!r}", where="--sweep", remedy=f"choose {', '.join(keys)}")
        if name in values:
            raise UserError(f"{name} is given twice", where="--sweep", remedy=f"write {name}=V1,V2")
        values[name] = list(dict.fromkeys(_value(name, keys[name], text.strip()) for text in listed.split(",")))
    return values


def _value(name: str, key: Key, word: str) -> Any:
    try:
        return key.value(word)
    except ValueError:
        raise UserError(f"unknown value {word!r}", where=f"--sweep {name}", remedy=f"choose {key.valid}") from None


def grid(values: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination; the last key changes fastest."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
