"""What a network really does on sample data: the ranges and messages that scales are chosen by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..chip_network.form import ChipInput
from ..graph.flat_graph import FlatGraph
from ..progress import tracked
from ..reference.interpreter import run_reference
from ..samples.encode import message_levels
from ..samples.input_data import InputData, by_input, sample_count, take_samples
from ..samples.value_range import require_meant
from .populations import FloatNetwork

PERCENTILE = 99.9  # of |weights|, |currents| and |membranes| that rule "percentile" covers
CHUNK_VALUES = 1 << 25  # neurons * steps * samples recorded at a time
FRAMES = 64  # single steps of single samples that a projection's error is measured on ...
FRAME_VALUES = 1 << 20  # ... fewer where the source is large


@dataclass
class Calibration:
    """Observed on sample data.

    Attributes:
        frames: input or population -> float32 [M, *shape], messages of M single steps.
        current: population -> [2, C], largest and percentile of |synaptic current| of each channel (of each neuron
            without space), in membrane units.
        membrane: population -> the same of |membrane|, before the reset.
    """

    frames: dict[str, np.ndarray] = field(default_factory=dict)
    current: dict[str, np.ndarray] = field(default_factory=dict)
    membrane: dict[str, np.ndarray] = field(default_factory=dict)

    @staticmethod
    def reach(ranges: dict[str, np.ndarray], name: str, *, groups: int, percentile: bool) -> np.ndarray | None:
        """[groups] ranges of a population (1, or one a channel), None if it was not observed."""
        if name not in ranges:
            return None
        channels: np.ndarray = ranges[name][1 if percentile else 0]
        largest: np.ndarray = channels if groups == len(channels) else channels.max(keepdims=True)
        return largest


def calibrate(
    flat: FlatGraph,
    network: FloatNetwork,
    inputs: dict[str, ChipInput],
    data: InputData,
    *,
    dt: float,
    steps: int,
    seed: int = 0,
) -> Calibration:
    """Runs the float reference over `data` (as `run_reference` takes it) and reduces what it did, chunk by chunk."""
    found = Calibration()
    rng = np.random.default_rng(seed)
    values = steps * sum(int(np.prod(p.shape)) for p in network.populations.values())
    size = max(1, CHUNK_VALUES // max(1, values))
    chunks = range(0, sample_count(data), size)
    for start in tracked(chunks, "calibrating, samples by chunks"):
        part = take_samples(data, slice(start, start + size))
        run = run_reference(flat, part, dt=dt, steps=steps, record=("spikes", "membrane", "current"))
        sources = dict(run.spikes)
        for name, (array, moving) in by_input(part, {n: flat.shapes[n] for n in flat.inputs}).items():
            require_meant(inputs[name], array)
            if inputs[name].mode != "bias":
                sources[name] = message_levels(inputs[name], array if moving else array[:, None])
        for name, array in sources.items():
            _keep_frames(found.frames, name, array, len(chunks), rng)
        for name, population in network.populations.items():
            if name in run.current:
                current = run.current[name]
                membrane = run.membrane[name] - population.dynamics.reset_value
                # the record is after the reset: what fired had crossed the threshold by at most one step's current
                before = np.abs(membrane) + (np.abs(current) if population.fires else 0)
            else:
                output = next((o.name for o in network.outputs.values() if o.population == name), None)
                if output is None:  # a bias neuron, which the graph does not know
                    continue
                current = run.outputs[output]
                before = np.abs(np.cumsum(current, axis=1) if population.dynamics.beta.any() else current)
            for ranges, observed in ((found.current, np.abs(current)), (found.membrane, before)):
                channels = np.moveaxis(observed, 2, 0).reshape(observed.shape[2], -1)
                reach = np.stack([channels.max(axis=1), np.percentile(channels, PERCENTILE, axis=1)])
                ranges[name] = np.maximum(ranges.get(name, 0.0), reach)
    return found


def _keep_frames(
    frames: dict[str, np.ndarray], name: str, array: np.ndarray, chunks: int, rng: np.random.Generator
) -> None:
    flat = array.reshape(-1, *array.shape[2:])
    wanted = max(4, min(FRAMES, FRAME_VALUES // max(1, int(np.prod(flat.shape[1:])))))
    chosen = rng.permutation(len(flat))[: -(-wanted // chunks)]
    kept = flat[chosen].astype(np.float32)
    frames[name] = np.concatenate([frames[name], kept]) if name in frames else kept
