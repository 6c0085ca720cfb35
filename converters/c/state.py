"""The fields of the state struct, in order: the header is written from them, and its size worked out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .plan import Layer, Plan, Source
from .wording import gathered_description, waits_type

BYTES = {"uint8_t": 1, "int8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}
SMALL_POINTER = 4  # bytes, of a 32-bit processor


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        sizes: of the array, as C; empty for a single value.
        count: values.
    """

    ctype: str
    name: str
    sizes: str
    count: int
    comment: str


def state_fields(plan: Plan) -> list[Field]:
    """All fields; one that does nothing where there are none, which C does not know."""
    fields = [field for source in plan.inputs for field in _input_fields(source)]
    fields += [field for layer in plan.layers for field in _layer_fields(plan, layer)]
    return fields or [Field("uint8_t", "nothing", "", 1, "a network without neurons")]


def state_size(plan: Plan, pointer: int = SMALL_POINTER) -> int:
    """Bytes of the struct, the gaps that C leaves in it included."""
    size, widest = 0, 1
    for field in state_fields(plan):
        each = (
            pointer if "*" in field.ctype else BYTES[plan.address_type if field.ctype == "snn_address" else field.ctype]
        )
        size = _aligned(size, each) + each * field.count
        widest = max(widest, each)
    return _aligned(size, widest)


def _aligned(offset: int, to: int) -> int:
    return -(-offset // to) * to


def _input_fields(source: Source) -> Iterator[Field]:
    ctype, size = source.level_type or "uint8_t", f"[SNN_{source.id.upper()}_SIZE]"
    yield Field(ctype, f"{source.id}_frame", size, source.space.size, "what enters at each step")
    if source.stands:
        yield Field("uint8_t", f"{source.id}_changed", "", 1, "since the last step")
    yield from _event_fields(source)


def _layer_fields(plan: Plan, layer: Layer) -> Iterator[Field]:
    size, count = f"[SNN_{layer.id.upper()}_SIZE]", layer.space.size
    yield Field("int32_t", f"{layer.id}_membrane", size, count, "after the reset of the last step")
    if layer.current_keep:
        yield Field("int32_t", f"{layer.id}_current", size, count, "synaptic, filtered")
    if layer.refractory:
        yield Field(waits_type(layer), f"{layer.id}_waits", size, count, "steps that it is still refractory")
    if layer.standing:
        yield Field(layer.sum_type, f"{layer.id}_standing", size, count, "what the input's frame brings")
    if layer.bias is None and layer.fast:
        yield Field("int32_t", f"{layer.id}_bias", size, count, "constant input")
    elif layer.bias is None:
        yield Field("const int32_t *", f"{layer.id}_bias", "", 1, "constant input, yours; channels first")
    if layer.fires:
        yield from _event_fields(layer.source)
    for output in plan.gathered(layer):
        yield Field(output.ctype, f"{output.id}_{output.kept}", size, count, gathered_description(output))
    if layer.counted:
        yield Field("int32_t", f"{layer.id}_spikes", size, count, "since the reset")


def _event_fields(source: Source) -> Iterator[Field]:
    upper, slots = source.id.upper(), _slots(source)
    first = f"{slots}[SNN_{upper}_PLACES + 1]"
    count = source.slots * source.space.size
    yield Field(
        "snn_address", f"{source.id}_event", f"{slots}[SNN_{upper}_SIZE]", count, "neurons that fired, in order"
    )
    count = source.slots * (source.space.places + 1)
    yield Field("snn_address", f"{source.id}_first", first, count, "each place's first among them")
    if source.slots > 1:
        yield Field("uint32_t", f"{source.id}_now", "", 1, "slot of this step")
    if source.level_type:
        sizes, count = f"{slots}[SNN_{upper}_SIZE]", source.slots * source.space.size
        yield Field(source.level_type, f"{source.id}_level", sizes, count, "the message of each event")


def _slots(source: Source) -> str:
    return f"[SNN_{source.id.upper()}_SLOTS]" if source.slots > 1 else ""
