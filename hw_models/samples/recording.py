"""What goes into an engine that runs a ChipNetwork, and what comes out. Every engine takes and gives these.

Needs numpy only (the Lava worker must not import torch).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class EncodedSamples(Protocol):
    """Encoded samples, all at hand (`EncodedInput`) or made when asked for (`samples.stream`)."""

    @property
    def steps(self) -> int:
        """Steps of each sample, T."""

    @property
    def samples(self) -> int:
        """Number of samples, N."""

    def part(self, samples: slice) -> EncodedInput:
        """The samples of a range, in memory."""

    def range(self, samples: slice) -> EncodedSamples:
        """A range of the samples, no more of it in memory than there is now."""


@dataclass
class EncodedInput:
    """Integers that enter the chip, made once by `dalif_deploy.hw_models.samples.encode` and shared by all engines.

    Attributes:
        steps: steps of each sample, T.
        messages: input name -> int32 [N, T, *shape], or [N, 1, *shape] where every step is the same.
            0/1 for "spikes", levels for "graded".
        bias: population name -> (mant, exp), each int16 [N, *shape]: the sample's own bias registers, from a
            host projection. They replace the population's (zero) bias registers.
        samples: N.
    """

    steps: int
    samples: int
    messages: dict[str, np.ndarray] = field(default_factory=dict)
    bias: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def part(self, samples: slice) -> EncodedInput:
        """The same for a range of samples."""
        start, stop, _ = samples.indices(self.samples)
        return EncodedInput(
            steps=self.steps,
            samples=stop - start,
            messages={name: array[start:stop] for name, array in self.messages.items()},
            bias={name: (mant[start:stop], exp[start:stop]) for name, (mant, exp) in self.bias.items()},
        )

    def range(self, samples: slice) -> EncodedInput:
        """As `part`: all of it is in memory."""
        return self.part(samples)


@dataclass
class Recording:
    """What an engine saw, in logical time: index t is step t of the source network, whatever the pipeline delay.

    Attributes:
        spikes: population -> uint8 [N, T, *shape].
        membrane: population -> int32 [N, T, *shape], after the reset of that step.
        outputs: output name -> int64 [N, *shape]: spikes or membranes over the sample, see `ChipOutput.kept`.
        counts: population -> int64 [N, *shape]: spikes over the sample (batched simulator only).
    """

    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    membrane: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
