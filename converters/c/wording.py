"""Expressions and comments of the C code."""

from __future__ import annotations

from .plan import Layer, Output, Part
from .window import Window, window_of

UINT8_MAX = (1 << 8) - 1


def part_window(part: Part) -> Window | None:
    """None for a dense projection."""
    return None if part.synapses.geometry is None else window_of(part.synapses, part.source.space, part.target)


def constants_of(part: Part) -> dict[str, int | str]:
    """Names for the numbers of a projection."""
    window = part_window(part)
    found: dict[str, int | str] = dict(window.constants) if window else {}
    name = part.synapses.name.upper()
    if part.factor > 1:
        found[f"{name}_FACTOR"] = part.factor
    if part.synapses.delay:
        found[f"{name}_DELAY"] = part.synapses.delay
    return found


def part_description(part: Part) -> str:
    """For a comment."""
    synapses, geometry = part.synapses, part.synapses.geometry
    delay = f", {synapses.delay} steps later" if synapses.delay else ""
    if geometry is None:
        return f"{part.source.name} to {part.target_name}: dense{delay}"
    high, wide = synapses.kernel
    kind = f"convolution {high}x{wide}, stride {_pair(geometry.stride)}, padding {_pair(geometry.padding)}"
    if set(geometry.dilation) != {1}:
        kind += f", dilation {_pair(geometry.dilation)}"
    if geometry.groups > 1:
        kind += f", {geometry.groups} groups"
    return f"{part.source.name} to {part.target_name}: {kind}{delay}"


def _pair(values: tuple[int, ...]) -> str:
    return "x".join(map(str, values))


def part_parameters(part: Part) -> str:
    """How a projection is told which target place is meant, with a comma at the end."""
    return "".join(f"{ctype} {name}, " for ctype, name in _place(part))


def part_arguments(part: Part) -> str:
    """The same, of a call."""
    return "".join(f"{name}, " for _, name in _place(part))


def _place(part: Part) -> list[tuple[str, str]]:
    if part.synapses.geometry is None:
        return [("size_t", "neurons")] if part.target.places > 1 else []
    found = []
    window = part_window(part)
    if part.target.height > 1 and window is not None and window.rows:
        found.append(("int32_t", "y"))
    return [*found, ("int32_t", "x")] if part.target.width > 1 else found


def part_slot(part: Part) -> str:
    """Slot of the source's events that arrive now."""
    source = part.source.id
    if not part.synapses.delay:
        return f"state->{source}_now"
    slots = f"SNN_{source.upper()}_SLOTS"
    return f"(state->{source}_now + {slots} - {part.synapses.name.upper()}_DELAY) % {slots}"


def layer_description(layer: Layer) -> str:
    """For a comment."""
    words = ["current filter"] if layer.current_keep else []
    if layer.fires:
        words.append("a spike subtracts the threshold" if layer.subtracts else "a spike resets to 0")
    else:
        words.append("never fires")
    if layer.fires_several:
        words.append(f"fires up to {layer.source.highest} times a step")
    if layer.lowest:
        words.append("the membrane has a lower bound")
    if layer.refractory:
        words.append(f"refractory for {layer.refractory} steps")
    return ", ".join(words)


def waits_type(layer: Layer) -> str:
    """C type of the steps that a neuron is still refractory."""
    return "uint8_t" if layer.refractory <= UINT8_MAX else "uint16_t"


def current_expression(layer: Layer) -> str:
    """Synaptic current of this step."""
    total = f"sum[channel] * SNN_{layer.id.upper()}_UNIT"
    if layer.wraps:
        if layer.current_keep:
            total = f"(uint32_t)decayed(filtered[channel], {layer.current_keep.expression}) + {total}"
        return f"wrapped(signed_of({total}))"
    if layer.sum_type == "int16_t":
        total = f"(int32_t){total}"
    if layer.current_keep:
        total = f"decayed(filtered[channel], {layer.current_keep.expression}) + {total}"
    return total


def membrane_expression(layer: Layer) -> str:
    """Membrane before a spike."""
    terms = ["membrane[channel]"]
    if layer.membrane_keep:
        terms = [f"decayed(membrane[channel], {layer.membrane_keep.expression})"]
    terms += ["current"] if layer.parts else []
    if layer.bias is None:
        terms.append(f"state->{layer.id}_bias[{_bias_index(layer)}]")
    elif not layer.bias.always_zero:
        terms.append(layer.bias.expression)
    total = " + ".join(terms)
    if not layer.clips:
        return total
    return f"clipped((int64_t){total})" if layer.wraps else f"clipped({total})"


def _bias_index(layer: Layer) -> str:
    if layer.space.places == 1:
        return "channel"
    return "neurons + channel" if layer.fast else f"channel * SNN_{layer.id.upper()}_PLACES + place"


def gathered_value(output: Output) -> str:
    """What a step adds to an output."""
    if output.mode == "membrane":
        return "membrane[channel]"
    # a reset to zero leaves nothing of the membrane but that it met the threshold
    if output.layer.subtracts:
        return "v"
    threshold = output.layer.threshold.expression
    return f"(times ? times * {threshold} : v)" if output.layer.fires_several else f"(fires ? {threshold} : v)"


def gathered_description(output: Output) -> str:
    """For the comment of its field."""
    what = "membrane" if output.mode == "membrane" else "membrane before a spike"
    words = {"sum": f"{what}, summed since the reset", "max": f"highest {what} since the reset", "last": what}
    return words[output.kept]


def output_description(output: Output) -> str:
    """For the comment of its function."""
    if output.mode != "count":
        words = gathered_description(output)
        return words[0].upper() + words[1:]
    if output.layer.fires_several and output.kept == "last":
        return "Spikes of the last step"
    of_spikes = {"sum": "Spikes since the reset", "max": "1 where there was a spike since the reset"}
    return of_spikes.get(output.kept, "1 where there was a spike in the last step")


def output_value(output: Output) -> str:
    """An output of the neuron `neuron`."""
    if output.gathers:
        return f"state->{output.id}_{output.kept}[neuron]"
    if output.mode == "membrane":
        return f"state->{output.layer.id}_membrane[neuron]"
    spikes = f"state->{output.layer.id}_spikes[neuron]"
    return f"{spikes} > 0" if output.kept == "max" else spikes


def calls_within(part: Part) -> bool:
    """True if a row of its window may begin or end on either side of the source."""
    window = part_window(part)
    return window is not None and window.side_by_side and "within(" in window.begin + window.end
