"""A network of the fuzzer, ready to run, or refused by the compiler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.recording import EncodedInput


@dataclass(repr=False)
class Case:
    """A network, what goes into it, and what is special about it.

    `compiled`: it came from the compiler, so that Lava must be able to run it.
    """

    network: ChipNetwork
    encoded: EncodedInput
    features: frozenset[str]
    compiled: bool = False

    def __repr__(self) -> str:
        network = self.network
        lines = [f"{self.encoded.samples} samples of {self.encoded.steps} steps, features {sorted(self.features)}"]
        lines += [f"  input {i.name} {i.shape} {i.mode} {i.min_level}..{i.max_level}" for i in network.inputs.values()]
        for p in network.populations.values():
            registers = {r: _short(getattr(p, r)) for r in ("du", "dv", "vth", "bias_mant", "bias_exp")}
            options = (
                {"v_min": p.v_min, "v_start": p.v_start, "refractory": p.refractory, "max_spikes": p.max_spikes}
                if p.options
                else ""
            )
            lines.append(f"  population {p.name} {p.shape} reset {p.reset}, fires {p.fires}, {registers} {options}")
        for q in network.projections.values():
            kind = q.geometry or "dense"
            lines.append(
                f"  projection {q.source} -> {q.target} delay {q.delay}, {kind}, * 2^{q.weight_exp} {_short(q.weight)}"
            )
        return "\n".join(lines)

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """For hypothesis, which would write out every array."""
        printer.text(repr(self))


@dataclass
class Refused:
    """What the compiler said no to."""

    reason: str
    features: frozenset[str]


def _short(array: np.ndarray) -> str:
    array = np.asarray(array)
    return str(array.tolist()) if array.size <= 12 else f"{list(array.shape)} in {array.min()}..{array.max()}"
