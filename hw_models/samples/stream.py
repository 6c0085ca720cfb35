"""Samples that are encoded a range at a time, so that memory does not grow with their number."""

from __future__ import annotations

from ..chip_network.form import ChipNetwork
from .encode import encode_input
from .input_data import InputData, sample_count, take_samples
from .recording import EncodedInput


class InputStream:
    """What `encode_input` gives for all samples, made when a range of them is asked for.

    Args:
        data, steps: as `encode_input` takes them.

    Raises:
        UserError: wrong shape, unequal numbers of samples; wrong values only when they are reached.
    """

    def __init__(self, network: ChipNetwork, data: InputData, *, steps: int | None = None):
        self._network, self._data = network, data
        self.samples = sample_count(data)
        self.steps = encode_input(network, take_samples(data, slice(1)), steps=steps).steps
        self._last: tuple[tuple[int, int], EncodedInput] | None = None

    def part(self, samples: slice) -> EncodedInput:
        """The samples of a range, encoded; the last range asked for is at hand."""
        start, stop, _ = samples.indices(self.samples)
        if self._last is None or self._last[0] != (start, stop):
            self._last = None  # its memory first
            data = take_samples(self._data, slice(start, stop))
            self._last = ((start, stop), encode_input(self._network, data, steps=self.steps))
        return self._last[1]

    def range(self, samples: slice) -> InputStream:
        """A range of the samples, not encoded yet."""
        start, stop, _ = samples.indices(self.samples)
        return InputStream(self._network, take_samples(self._data, slice(start, stop)), steps=self.steps)
