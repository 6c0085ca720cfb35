"""Whether layers that can't fire within a sample could within a longer one."""

from __future__ import annotations

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.compiler.plausibility import STEPS_FOLLOWED, plausibility

LONGEST = 16  # times the sample


def steps_to_fire(network: ChipNetwork, layers: list[str], input_range: tuple[float, float]) -> dict[str, int | None]:
    """Steps, doubled until each layer can fire within them; None for a layer that can't within any number tried.

    Args:
        layers: those that can't fire within the network's own steps.
        input_range: lowest and highest value of the data.
    """
    found: dict[str, int | None] = dict.fromkeys(layers)
    steps = network.steps
    while None in found.values() and 2 * steps <= min(STEPS_FOLLOWED, LONGEST * network.steps):
        steps *= 2
        can = plausibility(network, steps, input_range=input_range)
        found |= {name: steps for name, at in found.items() if at is None and can[name].can_fire.any()}
    return found


def steps_in_words(found: dict[str, int | None]) -> str:
    """The remedy, for a person."""
    lines = []
    for steps in sorted({at for at in found.values() if at is not None}):
        lines.append(f"--steps {steps} would let {', '.join(n for n, at in found.items() if at == steps)} fire")
    never = [name for name, at in found.items() if at is None]
    if never:
        lines.append(f"no longer sample that was tried makes {', '.join(never)} fire: look at thresholds and weights")
    return "; ".join(lines)
