"""The kinds of numbers that engines compute in, and what an engine of each kind is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arithmetic:
    """A kind of numbers.

    Attributes:
        name: as engines and reports call it.
        reference: the engine that all others of the kind are compared with.
        second: the engine that the reference itself is compared with.
        compares: what must agree between the two, "spikes" or "membrane".
        cause: why spikes of this kind may differ from the float reference's; follows "because".
    """

    name: str
    reference: str
    second: str
    compares: tuple[str, ...]
    cause: str

    def counterpart(self, engine: str) -> str:
        """The engine that one of this kind is compared with."""
        return self.second if engine == self.reference else self.reference


FLOAT_REFERENCE = "nir"  # whose spikes every engine's are counted against

ARITHMETICS = {
    kind.name: kind
    for kind in (
        Arithmetic(
            "float64",
            FLOAT_REFERENCE,
            "torch",
            ("spikes",),
            "sums are added in another order, which matters near the threshold; and torch fires at the threshold, NIR "
            "only above it",
        ),
        Arithmetic(
            "float32",
            FLOAT_REFERENCE,
            "torch",
            ("spikes",),
            "float32 rounds more coarsely, which matters near the threshold",
        ),
        Arithmetic(
            "integer",
            "fast",
            "lava",
            ("spikes", "membrane"),
            "the chip holds weights, decays and thresholds in a few bits",
        ),
    )
}
