"""Holds two engines' records against each other, value for value. There is no other comparison of engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dalif_deploy.simulation.engines.engine import EngineRun


@dataclass(frozen=True)
class Mismatch:
    """A place where two engines differ.

    Attributes:
        sample, step: counted from 0, the step in logical time.
        layer, kind: what differs, "spikes" or "membrane".
        neuron: index in the layer's shape.
        values: what each of the `engines` has there.
    """

    sample: int
    step: int
    kind: str
    layer: str
    neuron: tuple[int, ...]
    values: tuple[Any, Any]
    engines: tuple[str, str]

    def __str__(self) -> str:
        return (
            f"sample {self.sample}, layer {self.layer}, step {self.step}, neuron {self.neuron}: {self.kind} "
            f"{self.values[0]} in {self.engines[0]}, {self.values[1]} in {self.engines[1]}"
        )

    @property
    def order(self) -> tuple[int, int, str, str]:
        """The earlier, the smaller: sample, step, then kind and layer by name."""
        return self.sample, self.step, self.kind, self.layer


@dataclass
class Comparison:
    """Running result of comparing an engine with another one.

    Attributes:
        engines: their names.
        kinds: what is compared, "spikes" or "membrane".
        compared: values compared, a layer and kind ("block1.spikes").
        mismatches: values that differ, alike.
        first: the first difference in order of sample, step, kind, then layer; None if there is none.
    """

    engines: tuple[str, str]
    kinds: tuple[str, ...]
    compared: dict[str, int] = field(default_factory=dict)
    mismatches: dict[str, int] = field(default_factory=dict)
    first: Mismatch | None = None

    def __str__(self) -> str:
        compared = sum(self.compared.values())
        return f"{self.total_mismatches:,} of {compared:,} values differ from {self.engines[1]}'s"

    @property
    def total_mismatches(self) -> int:
        """Differences over all layers."""
        return sum(self.mismatches.values())

    def add(self, start: int, run: EngineRun, other: EngineRun) -> None:
        """Compares a chunk. Here, and nowhere else, both engines' records of the same samples are at hand.

        Args:
            start: the chunk's first sample.
            run, other: what the two engines saw; both have recorded `kinds`.
        """
        found: list[Mismatch] = []
        for kind in self.kinds:
            one, two = getattr(run, kind), getattr(other, kind)
            for layer in one:
                if layer in two:
                    found += self._compared(start, layer, kind, one[layer], two[layer])
        if found and self.first is None:
            self.first = min(found, key=lambda each: each.order)

    def _compared(self, start: int, layer: str, kind: str, one: np.ndarray, two: np.ndarray) -> list[Mismatch]:
        """The layer's first mismatch, if there is one."""
        key = f"{layer}.{kind}"
        if one.shape != two.shape:
            raise ValueError(f"{key}: shapes {one.shape} and {two.shape}")
        unequal = one != two
        self.compared[key] = self.compared.get(key, 0) + one.size
        self.mismatches[key] = self.mismatches.get(key, 0) + int(unequal.sum())
        if not unequal.any():
            return []
        place = np.unravel_index(int(unequal.argmax()), unequal.shape)
        sample, step, *neuron = (int(i) for i in place)
        values = one[place], two[place]
        return [Mismatch(start + sample, step, kind, layer, tuple(neuron), values, self.engines)]
