"""What of an export is likely not meant: a line each, with what would mend it."""

from __future__ import annotations

from typing import Any

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.chips.description import ChipDescription
from dalif_deploy.hw_models.mapping.core_box import image_shape, whole_box
from dalif_deploy.hw_models.mapping.decay_profiles import DecayProfiles

LOW_SQNR_DB = 20.0  # weights whose rounding error is above a tenth of them


def export_warnings(layers: list[dict[str, Any]], steps: int) -> list[str]:
    """Of the weights and of what each layer can do (`add_plausibility`)."""
    lines = []
    silent = silent_layers(layers)
    if silent:
        peaks = [layer["peak"] for layer in layers if layer["layer"] in silent and layer["peak"] is not None]
        reach = f"; the membrane reaches {100 * max(peaks):.3g} % of the threshold at most" if peaks else ""
        lines.append(f"no input can make {_named(silent)} fire within {steps} steps{reach}")
    always = [layer["layer"] for layer in layers if layer["always_fires"] and layer["always_fires"] == layer["neurons"]]
    if always:
        lines.append(f"{_named(always)} will fire at every step, whatever the input")
    low = [layer for layer in layers if layer["weight_sqnr_db"] is not None and layer["weight_sqnr_db"] < LOW_SQNR_DB]
    if low:
        least = min(layer["weight_sqnr_db"] for layer in low)
        lines.append(
            f"rounding leaves the weights of {_named([layer['layer'] for layer in low])} under "
            f"{LOW_SQNR_DB:.0f} dB ({least:.1f} dB at worst)"
        )
    return lines


def profile_warnings(network: ChipNetwork, chip: ChipDescription) -> list[str]:
    """Layers with more different decays than a core of the chip has profiles for: they cost cores."""
    limit = chip.limits.decay_profiles_per_core
    if limit is None:
        return []
    found = {name: DecayProfiles(p).count(whole_box(image_shape(p.shape))) for name, p in network.populations.items()}
    return [
        f"layer {name} has {count:,} different decays and a core of {chip.title} profiles for {limit.value}: it takes "
        f"{-(-count // limit.value)} cores or more; dalif-train --quantize {chip.name} shares them, or train with "
        "--decays-per layer"
        for name, count in found.items()
        if count > limit.value
    ]


def silent_layers(layers: list[dict[str, Any]]) -> list[str]:
    """Layers that no input can make fire."""
    return [layer["layer"] for layer in layers if layer["can_fire"] == 0]


def least_sqnr(layers: list[dict[str, Any]]) -> float | None:
    """Least signal-to-noise ratio of the layers' weights; None where none are rounded."""
    return min((layer["weight_sqnr_db"] for layer in layers if layer["weight_sqnr_db"] is not None), default=None)


def _named(layers: list[str]) -> str:
    shown = ", ".join(layers[:6]) + (f" and {len(layers) - 6} more" if len(layers) > 6 else "")
    return f"layer {shown}" if len(layers) == 1 else f"layers {shown}"
