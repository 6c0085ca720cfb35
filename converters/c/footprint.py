"""What the code needs of a processor: memory to the byte where C determines it, and operations per step."""

from __future__ import annotations

from dataclasses import dataclass

from dalif_deploy.hw_models.errors import CheckFailed

from .plan import Layer, Part, Plan
from .registers import Register
from .space import Space
from .state import BYTES, state_size
from .synapses import Synapses

# What no arithmetic over the network gives is bounded by what gcc 12 -Os makes of it for Cortex-M0, M4 and RV32;
# the tests hold these to the compiler's own figures.
CALL_BYTES = 384  # of stack, of the functions that are active at once, beside their arrays
CODE_BYTES, LAYER_CODE, PART_CODE, KERNEL_CODE, INPUT_CODE = 500, 250, 100, 200, 100
SEVERAL_CODE = 100  # of a layer that fires several times a step, beside the others


@dataclass(frozen=True)
class Footprint:
    """Needs of one network.

    Attributes:
        constants: bytes in flash of weights and of registers that are arrays.
        code: bytes in flash of network.c, at most, with -Os.
        state: bytes in RAM of one `snn_state`, on a 32-bit processor.
        stack: bytes that a call of the interface takes at most.
        additions: of a weight to a sum, in a step in which every neuron fires.
        neurons: that are updated in a step.
    """

    constants: int
    code: int
    state: int
    stack: int
    additions: int
    neurons: int


def footprint(plan: Plan) -> Footprint:
    """Works out the needs of a network."""
    weights = sum(_array_bytes(part.synapses.rows.size, part.synapses.ctype) for part in plan.parts)
    registers = sum(_register_bytes(register) for register in plan.registers)
    return Footprint(
        weights + registers,
        _code(plan),
        state_size(plan),
        max((_stack_arrays(layer) for layer in plan.layers), default=0) + CALL_BYTES,
        sum(connections(part) for part in plan.parts),
        sum(layer.space.size for layer in plan.layers),
    )


def memory_lines(needs: Footprint) -> list[str]:
    """For people."""
    return [
        f"flash: {needs.constants:,} bytes of constants, at most {needs.code:,} of code (gcc -Os)",
        f"RAM: {needs.state:,} bytes per state (32-bit processor), at most {needs.stack:,} of stack",
        f"a step: {needs.neurons:,} neurons updated; {needs.additions:,} weights added if every neuron fires",
    ]


def check_footprint(needs: Footprint, *, ram: int | None = None, flash: int | None = None) -> None:
    """Raises CheckFailed where bytes at hand do not suffice: of RAM for a state and the stack, of flash for all."""
    for what, wanted, given, remedy in (
        ("RAM (state and stack)", needs.state + needs.stack, ram, "fewer neurons"),
        ("flash (constants and code)", needs.constants + needs.code, flash, "fewer weights"),
    ):
        if given is not None and wanted > given:
            raise CheckFailed(
                f"does not fit: it needs {wanted:,} bytes of {what}, and {given:,} are available",
                remedy=f"train a network with {remedy}, or use a larger processor",
            )


def _code(plan: Plan) -> int:
    layers = LAYER_CODE * len(plan.layers) + PART_CODE * len(plan.parts)
    layers += SEVERAL_CODE * sum(layer.fires_several for layer in plan.layers)
    return CODE_BYTES + layers + KERNEL_CODE * len(plan.kernels) + INPUT_CODE * len(plan.inputs)


def connections(part: Part) -> int:
    """Synapses of a projection that lead from a neuron to a neuron, those to a padded border left out."""
    synapses = part.synapses
    if synapses.geometry is None:
        return synapses.rows.size
    taps = _taps(synapses, part.source.space, part.target)
    return taps * synapses.rows.size // (synapses.kernel[0] * synapses.kernel[1])


def _taps(synapses: Synapses, source: Space, target: Space) -> int:
    """Pairs of a target place and a tap that lies within the source."""
    geometry = synapses.geometry
    assert geometry is not None
    within = 1
    for axis, (size, places) in enumerate(((source.height, target.height), (source.width, target.width))):
        stride, padding, dilation = geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]
        starts = [place * stride - padding for place in range(places)]
        within *= sum(0 <= start + tap * dilation < size for start in starts for tap in range(synapses.kernel[axis]))
    return within


def _array_bytes(values: int, ctype: str) -> int:
    return max(1, values) * BYTES[ctype]


def _register_bytes(register: Register) -> int:
    return 0 if register.shared else _array_bytes(register.values.size, register.ctype)


def _stack_arrays(layer: Layer) -> int:
    """Bytes of the arrays of a layer's step."""
    channels = layer.space.channels
    sums = 0 if layer.only_standing or not layer.parts else channels * BYTES[layer.sum_type]
    parts = channels * BYTES["uint32_t"] if any(part.wraps24 for part in layer.parts) else 0
    return sums + parts + (layer.space.width * channels if layer.fires else 0)
