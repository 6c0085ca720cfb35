"""Holds two engines' records against each other, spike for spike."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dalif_deploy.simulation.engines.engine import EngineRun


@dataclass
class Comparison:
    """Running result of a comparison.

    Attributes:
        compared: values compared, a layer and kind ("block1.spikes").
        mismatches: values that differ, alike.
        first: text of the first difference in order of sample, step, then layer; None if there is none.
    """

    compared: dict[str, int] = field(default_factory=dict)
    mismatches: dict[str, int] = field(default_factory=dict)
    first: str | None = None

    @property
    def total_mismatches(self) -> int:
        """Differences over all layers."""
        return sum(self.mismatches.values())

    def add(self, start: int, one: EngineRun, other: EngineRun, names: tuple[str, str], kinds: tuple[str, ...]) -> None:
        """Compares one chunk of samples that starts at sample `start`; both must have recorded `kinds`."""
        differences = []
        for kind in kinds:
            first, second = getattr(one, kind), getattr(other, kind)
            for layer in sorted(first.keys() & second.keys()):
                self._add_layer(start, layer, kind, first[layer], second[layer], names, differences)
        if differences and self.first is None:
            self.first = min(differences)[-1]

    def _add_layer(
        self,
        start: int,
        layer: str,
        kind: str,
        first: np.ndarray,
        second: np.ndarray,
        names: tuple[str, str],
        differences: list[tuple],
    ) -> None:
        key = f"{layer}.{kind}"
        if first.shape != second.shape:
            raise ValueError(f"{key}: shapes {first.shape} and {second.shape}")
        unequal = first != second
        self.compared[key] = self.compared.get(key, 0) + first.size
        self.mismatches[key] = self.mismatches.get(key, 0) + int(unequal.sum())
        if unequal.any():
            place = tuple(int(i) for i in np.argwhere(unequal)[0])
            sample, step, neuron = start + place[0], place[1], place[2:]
            text = (
                f"sample {sample}, layer {layer}, step {step}, neuron {neuron}: {kind} "
                f"{first[place]} in {names[0]}, {second[place]} in {names[1]}"
            )
            differences.append((sample, step, kind, layer, text))
