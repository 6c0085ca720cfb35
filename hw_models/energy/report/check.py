"""The check that the counted network passed: what it was held against, and what that exercised."""

from __future__ import annotations

from ..figures import Count, Part


class HeldAgainst(Part):
    """Two engines, and what of their values differed."""

    engine: str
    against: str
    compared: Count
    mismatches: Count


class CheckedLayer(Part):
    """What a check exercised of a layer; `fired`: neurons, null for a layer that never fires by its kind."""

    name: str
    neurons: Count
    fired: Count | None
    compared: Count
    nonzero: Count
    never_ran: list[str]


class CheckRecord(Part):
    """A check by dalif-simulate of the same integers."""

    data: str
    samples: Count
    stress_samples: Count
    held: list[HeldAgainst]
    layers: list[CheckedLayer]
    not_exercised: list[str]

    def sentence(self) -> str:
        """Against what, how much, and how far it reached."""
        values, wrong = (sum(getattr(row, key) for row in self.held) for key in ("compared", "mismatches"))
        engines = ", ".join(dict.fromkeys(row.engine for row in self.held))
        others = ", ".join(dict.fromkeys(row.against for row in self.held))
        firing = [layer for layer in self.layers if layer.fired is not None]
        neurons, fired = sum(layer.neurons for layer in firing), sum(layer.fired or 0 for layer in firing)
        stress = f" and {self.stress_samples:,} of --stress" if self.stress_samples else ""
        differ = "none differ" if not wrong else f"{wrong:,} DIFFER"
        return (
            f"{engines} held against {others}: {values:,} values of {self.samples:,} samples{stress}, {differ}; "
            f"{fired:,} of {neurons:,} neurons fired"
        )
