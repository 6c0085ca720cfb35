"""ChipNetwork: the one hardware form. Integers and registers of a compiled network, no floats that act.

The arithmetic that a population of neurons follows, a step (Lava's bit-accurate LIF; Davies et al. 2018;
shared by the simulator, by Lava and by the chip):

    u = trunc(u * (4096 - (du + 1)) / 4096) + (sum of arriving weight * 2^weight_exp * message) * 64
    v = trunc(v * (4096 - dv) / 4096) + u + bias_mant * 2^bias_exp
    spike where v > vth * 64, and there v = 0  (reset "subtract": v = v - vth * 64)

Neurons of a chip that has them may do more, each by an option of the population: before the threshold is met, a
membrane below `v_min` is put there; a membrane starts each sample at `v_start`; and after a spike it stays at 0 for
`refractory` steps, in which its current goes on and it does not fire. A neuron with `max_spikes` above 1 fires once for
each time that its membrane lies above the threshold, n = trunc((v - 1) / (vth * 64)) up to `max_spikes`; it sends n in
one graded message, and reset "subtract" takes off n thresholds.

Emulators that their authors held against Loihi 1 compute the same: docs/arithmetic-held-against.md.

u wraps at +-2^23, v clips at +-(2^23 - 1). `du = 4095` makes u forget at each step (no synaptic current).

Time here is logical: a projection with `delay` 0 hands over a spike in the step in which it was fired, as in
PyTorch. The pipeline delay that Lava and the chip add to each hop is the builder's affair, see `depths`.

This module needs numpy only, so that a process that must not import torch can use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

DECAY_UNITY = 4096  # decays are 12-bit fractions
STATE_LIMIT = 1 << 23  # u and v are 24-bit signed
SYNAPSE_SHIFT = 6  # hardware aligns synaptic input and thresholds by 6 bits
VTH_MAX = (1 << 17) - 1
BIAS_MANT_MIN, BIAS_MANT_MAX = -4096, 4095
BIAS_EXP_MAX = 7
MOST_REFRACTORY = (1 << 16) - 1  # steps
MOST_SPIKES = (1 << 8) - 1  # of a neuron in one step
NO_CURRENT_FILTER = 4095  # this du makes u forget at each step

# lowest and highest value of each register of a neuron
REGISTER_RANGES = {
    "du": (0, DECAY_UNITY - 1),
    "dv": (0, DECAY_UNITY - 1),
    "vth": (0, VTH_MAX),
    "bias_mant": (BIAS_MANT_MIN, BIAS_MANT_MAX),
    "bias_exp": (0, BIAS_EXP_MAX),
}

Reset = Literal["zero", "subtract"]
NeuronOption = Literal["lower bound", "start", "refractory time", "count of spikes"]
InputMode = Literal["spikes", "graded", "bias"]
OutputMode = Literal["membrane", "membrane_before_reset", "count"]
OverTime = Literal["sum", "mean", "max", "last"]


@dataclass
class Population:
    """A layer of neurons.

    Registers are a scalar array (shape ()) or an array that broadcasts against `shape`: (C, 1, 1) for one
    value a channel, `shape` for one a neuron.

    Attributes:
        shape: (C, H, W), (C, L) or (N,); channels first, no batch, no time.
        du, dv: decay of current and membrane, 0..4095 (4095 for du: no current filter).
        vth: threshold mantissa, 0..131071, in units of 64.
        bias_mant, bias_exp: constant input of each step, mant * 2^exp.
        reset: what a spike does to the membrane.
        v_min: int64, the lowest membrane, at most 0; None for no bound but the register's.
        v_start: int64, the membrane before a sample's first step.
        refractory: steps after a spike in which the membrane stays at 0.
        max_spikes: most spikes of a neuron in one step; above 1 it sends how many, with thresholds of 1 and more.
        fires: False for a readout integrator, whose membrane is the result and which never spikes.
        scale: integer units a unit of the source graph's membrane (float; documentation and readout only).
        source: what the registers were made from (trained decay, threshold …), for reports.
    """

    name: str
    shape: tuple[int, ...]
    du: np.ndarray
    dv: np.ndarray
    vth: np.ndarray
    bias_mant: np.ndarray
    bias_exp: np.ndarray
    reset: Reset = "zero"
    v_min: np.ndarray | None = None
    v_start: np.ndarray = field(default_factory=lambda: np.array(0))
    refractory: int = 0
    max_spikes: int = 1
    fires: bool = True
    scale: np.ndarray = field(default_factory=lambda: np.array(1.0))
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # what numpy computes of arrays of shape () is a plain number; a file gives back the array
        for name in (*REGISTER_RANGES, "v_start", "scale"):
            setattr(self, name, np.asarray(getattr(self, name)))
        if self.v_min is not None:
            self.v_min = np.asarray(self.v_min)

    @property
    def options(self) -> tuple[NeuronOption, ...]:
        """Those that its neurons need beside decay, filter, threshold and reset."""
        return neuron_options(
            self.v_min is not None, bool(self.v_start.any()), self.refractory > 0, self.max_spikes > 1
        )

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    @property
    def bias(self) -> np.ndarray:
        """Constant input of each step, int64, broadcastable against `shape`."""
        return self.bias_mant.astype(np.int64) << self.bias_exp.astype(np.int64)


@dataclass
class Geometry:
    """How a convolution slides; one entry a spatial axis."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


@dataclass
class Projection:
    """Synapses from a population or an input to a population.

    Attributes:
        weight: integers, -256..255; dense [out, in] over flattened (channels-first, C order) neurons, or a
            convolution kernel [C_out, C_in / groups, *kernel] as PyTorch means it (cross-correlation).
        weight_exp: each weight counts weight * 2^weight_exp (>= 0).
        geometry: None for dense.
        delay: logical delay in steps; 0 is a feed-forward connection.
    """

    name: str
    source: str
    target: str
    weight: np.ndarray
    weight_exp: int = 0
    geometry: Geometry | None = None
    delay: int = 0


@dataclass
class HostProjection:
    """A float layer that the host computes from a static input; the result is the target's bias, a neuron.

    The bias of target neuron i is encode_bias(weight applied to the input + bias) in integer units: `weight` and
    `bias` already carry the target's scale. Adds to the target's own (constant) bias register values, which are
    zero where a host projection exists.
    """

    name: str
    source: str
    target: str
    weight: np.ndarray  # float64; shapes as in Projection
    bias: np.ndarray  # float64, [C_out] or [out]
    geometry: Geometry | None = None


@dataclass
class ChipInput:
    """Where data comes in.

    Attributes:
        mode: "spikes" (0/1 events), "graded" (integer messages: round(value / step), held within
            min_level..max_level) or "bias" (static values, for host projections).
        step: value of one level (graded); 1.0 otherwise.
        lowest, highest: real values that the network was compiled for; None for spikes, and where nobody said.
    """

    name: str
    shape: tuple[int, ...]
    mode: InputMode
    step: float = 1.0
    min_level: int = 0
    max_level: int = 1
    lowest: float | None = None
    highest: float | None = None


@dataclass
class ChipOutput:
    """What is read of a population.

    Attributes:
        mode: spikes ("count"), the membrane after the reset, or the one that met the threshold.
        over_time: what happens to it over the steps of a sample, as the network's author has it. None: nobody said;
            spikes are counted, and the membrane of the last step is read, a mean over the steps that it integrated.
        zero: membrane, in the source network's units, that the chip's 0 stands for.
    """

    name: str
    population: str
    mode: OutputMode
    over_time: OverTime | None = None
    zero: float = 0.0

    @property
    def kept(self) -> Literal["sum", "max", "last"]:
        """What becomes of the integers of all steps; a mean is a sum until it is brought to the source's units."""
        if self.over_time is None:
            return "sum" if self.mode == "count" else "last"
        return "sum" if self.over_time == "mean" else self.over_time

    @property
    def reads_each_step(self) -> bool:
        """True if membranes of all steps are read, not the last alone."""
        return self.mode != "count" and self.kept != "last"


@dataclass
class ChipNetwork:
    """A compiled network. `steps` is the length of one sample: state is reset before each sample."""

    chip: str
    steps: int
    inputs: dict[str, ChipInput]
    populations: dict[str, Population]
    projections: dict[str, Projection]
    host_projections: dict[str, HostProjection]
    outputs: dict[str, ChipOutput]
    dt: float = 1e-4
    metadata: dict[str, Any] = field(default_factory=dict)

    def incoming(self, population: str) -> list[Projection]:
        """Projections that end at `population`, in the order of the file."""
        return [p for p in self.projections.values() if p.target == population]

    def layers(self) -> list[Projection | HostProjection]:
        """All that has weights, on the chip and on the host."""
        return [*self.projections.values(), *self.host_projections.values()]

    def outgoing(self, source: str) -> list[Projection]:
        """Projections that start at an input or population."""
        return [p for p in self.projections.values() if p.source == source]

    def source_shape(self, name: str) -> tuple[int, ...]:
        """Shape of an input or a population."""
        return self.inputs[name].shape if name in self.inputs else self.populations[name].shape

    def message_range(self, source: str) -> tuple[int, int]:
        """Lowest and highest message of an input or a population; none is always among them."""
        if source in self.populations:
            return 0, self.populations[source].max_spikes
        item = self.inputs[source]
        return (0, 1) if item.mode == "spikes" else (min(0, item.min_level), max(0, item.max_level))

    def sends_numbers(self, source: str) -> bool:
        """True if messages carry values, False for plain spikes."""
        if source in self.populations:
            return self.populations[source].max_spikes > 1
        return self.inputs[source].mode == "graded"

    def depths(self) -> dict[str, int]:
        """Pipeline stage of each input (0) and population, in steps: every hop of the chip costs one step.

        The stage is the longest path, each hop shortened by its delay, so that a shorter path into the same
        population waits (see `pipeline_delay`). What nothing leads into (a host bias, a neuron that always fires)
        starts as late as its targets allow, so that its spikes do not wait.
        """
        depth = dict.fromkeys(self.inputs, 0)
        # a population driven by a host bias alone needs no hop and starts with the input
        pending = list(self.populations)
        while pending:
            ready = [name for name in pending if all(p.source in depth for p in self.incoming(name) if p.delay == 0)]
            if not ready:
                raise ValueError(f"loop without delay among {', '.join(pending)}")
            for name in ready:
                depth[name] = max((depth[p.source] + 1 for p in self.incoming(name) if p.delay == 0), default=0)
            pending = [name for name in pending if name not in depth]
        depth = self._with_delayed_hops(depth)
        targets = {p.target for p in self.projections.values()}
        for name in self.populations.keys() - targets:
            latest = [depth[p.target] + p.delay - 1 for p in self.outgoing(name)]
            depth[name] = max(0, min(latest, default=0))
        return depth

    def _with_delayed_hops(self, depth: dict[str, int]) -> dict[str, int]:
        """Stages moved back until no delayed projection arrives too early; unchanged where a loop rules that out."""
        stages = dict(depth)
        for _ in range(len(stages) + 1):
            early = [p for p in self.projections.values() if self.pipeline_delay(p, stages) < 0]
            if not early:
                return stages
            for p in early:
                stages[p.target] = max(stages[p.target], stages[p.source] + 1 - p.delay)
        return depth

    def pipeline_delay(self, projection: Projection, depths: dict[str, int] | None = None) -> int:
        """Extra steps that a spike must wait on this projection beside the one step of the hop.

        Negative where a loop is longer than its delays: such a network can't keep its timing in a pipeline.
        """
        depths = depths or self.depths()
        return projection.delay + depths[projection.target] - depths[projection.source] - 1


def neuron_options(bounded: bool, starts: bool, waits: bool, counts: bool) -> tuple[NeuronOption, ...]:
    """The options by name: a bound from below, a start elsewhere than at the reset value, a refractory time, and
    several spikes a step."""
    named: tuple[tuple[NeuronOption, bool], ...] = (
        ("lower bound", bounded),
        ("start", starts),
        ("refractory time", waits),
        ("count of spikes", counts),
    )
    return tuple(name for name, needed in named if needed)


def encode_bias(
    value: np.ndarray, mant_max: int = BIAS_MANT_MAX, exp_max: int = BIAS_EXP_MAX
) -> tuple[np.ndarray, np.ndarray]:
    """Mantissa and exponent of a bias: smallest exponent that fits.

    Args:
        value: wanted bias in integer units, any shape, float or integer.
        mant_max: largest mantissa; the smallest is one further from zero.
        exp_max: largest exponent.

    Returns:
        (mant int64, exp int64) with mant * 2^exp nearest to `value`.

    Raises:
        OverflowError: a value needs an exponent above `exp_max`.
    """
    value = np.asarray(value, dtype=np.float64)
    exponent = np.zeros(value.shape, dtype=np.int8)
    for step in range(exp_max):
        # halves round to even: 4095.5 no longer fits, -4096.5 does
        too_big = value >= (mant_max + 0.5) * 2.0**step
        too_big |= value < (-mant_max - 1.5) * 2.0**step
        if not too_big.any():
            break
        exponent += too_big
    mantissa = np.rint(value * np.exp2(-np.arange(exp_max + 1.0)).take(exponent))
    if np.any((mantissa > mant_max) | (mantissa < -mant_max - 1)) or not np.all(np.isfinite(value)):
        raise OverflowError(f"bias beyond a {mant_max.bit_length() + 1}-bit mantissa times 2^{exp_max}")
    return mantissa.astype(np.int64), exponent.astype(np.int64)
