"""Writes docs/energy-error.md: each model of the energy report against published measurements on Loihi.

    python -m benchmarks.energy_error --write docs/energy-error.md

Without --write: to the terminal. Counts are in hw_models/energy/silicon/events.json, see benchmarks/silicon_counts.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from dalif_deploy.hw_models.energy.silicon.comparison import (
    Ratio,
    energy_ratios,
    models,
    static_powers,
    time_ratios,
)
from dalif_deploy.hw_models.energy.silicon.measurements import Measurement, Run, load_events, load_measurements
from dalif_deploy.hw_models.energy.silicon.model_error import ModelError, Quantity, model_error
from dalif_deploy.hw_models.energy.units import readable

CHIPS = {"loihi1": "Loihi 1", "loihi2": "Loihi 2"}
INTRODUCTION = """# How far the energy models are from chips

Written by `python -m benchmarks.energy_error --write docs/energy-error.md`; don't edit. Networks that others
measured on Loihi were rebuilt from what they published, their events counted by this package's simulator, and
priced by the sets of constants as they are: **no constant was fitted to these measurements**. A ratio is modelled
over measured, so 2 means twice too much. What each source states, where, and what had to be assumed:
[at the end](#sources); the files are `hw_models/energy/silicon/*.toml`.

Measured dynamic energy is a whole board's above its idle power, so it contains traffic and x86 cores in places
where the model has none; a row that this decides is kept out of the error and says so.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="FILE")
    text = page()
    asked = parser.parse_args()
    if asked.write is None:
        print(text)
    else:
        asked.write.write_text(text)


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, _summary(), _energy(), _terms(), _times(), _statics(), _left_out(), _missing(), _sources()]
    return "\n".join(parts)


def errors(chip: str) -> list[ModelError]:
    """Every model's error for one chip, energy first."""
    asked: list[tuple[Quantity, str]] = [("dynamic energy", model) for model in models(chip)]
    asked.append(("time of a step", models(chip)[0]))
    return [model_error(quantity, chip, model) for quantity, model in asked]


def _summary() -> str:
    heads = (
        "chip",
        "of",
        "constants",
        "networks",
        "runs",
        "lowest",
        "median",
        "highest",
        "worst is",
        "left out in turn",
    )
    rows = []
    for chip, name in CHIPS.items():
        for e in errors(chip):
            factor = "no error claimed" if e.factor is None else f"within {e.factor:.1f}"
            rows.append([name, e.quantity, e.model, e.networks, e.runs, *_middle(e), _worst(e), factor])
    said = [f"- {CHIPS[chip]}, {e.model}: {e.sentence}." for chip in CHIPS for e in errors(chip)]
    return "\n".join(
        [
            "## Summary\n",
            _table(heads, rows),
            "",
            *said,
            "",
            "Few networks stand behind each factor, and they are alike (MNIST, small): a factor over two networks is",
            "the larger of two ratios, not a confidence interval. The report repeats the sentence; where no error is",
            "claimed its range is the constants' spread, called so. Loihi 2's modelled steps are too long by one",
            "factor in both networks: they stand on Loihi 1's times.\n",
        ]
    )


def _energy() -> str:
    heads = ("network", "run", "constants", "measured", "modelled", "ratio", "activity", "counts")
    parts = ["## Dynamic energy of an inference\n"]
    for chip, name in CHIPS.items():
        rows = [[r.network, r.run, r.model, *_energies(r), _counts(r)] for r in _of(energy_ratios(), chip)]
        parts += [f"### {name}\n", _table(heads, rows), ""]
    parts += [
        "Where activity is not stated, the modelled figure is a range, from silent input to a busy one, and the ratio",
        "says whether the measured figure lies inside. dvs_gesture has no row: its measured energies are restricted;",
        f"its modelled {_dvs_step()} a step lies on the published axis, which runs from 1 to 4 µJ.\n",
    ]
    return "\n".join(parts)


def _terms() -> str:
    heads = ("network", "run", "synaptic operations", "neurons, active", "neurons, inactive", "messages", "hops")
    rows = []
    events = load_events()
    for measurement, run in _runs():
        if run.events is None or run.joules is None:
            continue
        joules = events[run.events].value.joules(models(measurement.chip)[0])
        total = sum(joules.values())
        hops = joules["hop_east_west"] + joules["hop_north_south"]
        names = ("synaptic_operation", "neuron_update_active", "neuron_update_inactive", "spike_within_tile")
        shares = [*(joules[name] for name in names), hops]
        rows.append([measurement.name, run.name, *(f"{share / total:.0%}" for share in shares)])
    return "\n".join(
        [
            "## By term\n",
            "No source measures a term by itself, so terms have no error of their own; this is what each ratio above",
            "is made of, by the report's own set of constants.\n",
            _table(heads, rows),
            "",
        ]
    )


def _times() -> str:
    heads = ("network", "run", "measured", "modelled", "ratio", "counts")
    parts = [
        "## Length of a step\n",
        "Modelled: the busiest core and the barrier, shortest and longest; the ratio is of their geometric middle.\n",
    ]
    for chip, name in CHIPS.items():
        rows = [
            [
                r.network,
                r.run,
                readable(r.measured, "s"),
                f"{readable(r.low, 's')} to {readable(r.high, 's')}",
                f"{r.ratio:.2f}",
                _counts(r),
            ]
            for r in _of(time_ratios(), chip)
        ]
        parts += [f"### {name}\n", _table(heads, rows), ""]
    return "\n".join(parts)


def _statics() -> str:
    rows = [
        [
            CHIPS[r.chip],
            r.network,
            r.run,
            readable(r.measured, "W"),
            readable(r.modelled, "W"),
            f"{r.modelled / r.measured:.2f}",
        ]
        for r in static_powers()
    ]
    said = []
    for chip, name in CHIPS.items():
        found: dict[str, list[float]] = {}
        for r in static_powers():
            if r.chip == chip:
                found.setdefault(r.network, []).append(r.modelled / r.measured)
        each = [median(ratios) for ratios in found.values()]
        said.append(f"- {name}: {min(each):.2f} to {max(each):.2f}, median {median(each):.2f}, {len(each)} networks.")
    return "\n".join(
        [
            "## Static power of a chip\n",
            "Apart, because it decides a total more than any term: how many chips are powered, and whether they idle",
            "or are off. Boards of 32 chips are divided by 32.\n",
            _table(("chip", "network", "run", "measured", "modelled", "ratio"), rows),
            "",
            *said,
            "",
        ]
    )


def _left_out() -> str:
    rows = [
        [CHIPS[chip], e.quantity, e.model, one.network, f"{one.calibration:.2f}", f"{one.factor:.2f}"]
        for chip in CHIPS
        for e in errors(chip)
        for one in e.left_out
    ]
    heads = ("chip", "of", "constants", "left out", "others' calibration", "worst factor on its runs")
    return "\n".join(
        [
            "## One network left out at a time\n",
            "The others' calibration is the geometric mean of measured over modelled, each network once. At least two",
            "networks of known activity are needed; a chip without them has no row.\n",
            _table(heads, rows),
            "",
        ]
    )


def _missing() -> str:
    lines = []
    for measurement, run in _runs():
        if run.events is None:
            lines.append(
                f"- **{measurement.name}, {run.name}**: {'; '.join(measurement.missing) or run.not_for_energy}"
            )
    return "\n".join(["## Not rebuilt, and what is missing\n", *lines, ""])


def _sources() -> str:
    parts = [
        "## Sources\n",
        '*read*: how far, for this project. "Quoted by another" is secondary and in no error.\n',
    ]
    for m in load_measurements():
        parts += [
            f"### {m.name}\n",
            f"{m.title}. {CHIPS[m.chip]}, {m.board}. {m.network}.\n",
            f"{m.source.reference}: {m.source.address}. Read: {m.source.read}.\n",
        ]
        if m.assumed:
            parts.append(f"Assumed: {'; '.join(m.assumed)}.\n")
        if m.missing:
            parts.append(f"Missing: {'; '.join(m.missing)}.\n")
    return "\n".join(parts)


def _runs() -> list[tuple[Measurement, Run]]:
    return [(m, run) for m in load_measurements() for run in m.runs]


def _of(ratios: list[Ratio], chip: str) -> list[Ratio]:
    return [r for r in ratios if r.chip == chip]


def _middle(error: ModelError) -> list[str]:
    return ["-" if figure is None else f"{figure:.2f}" for figure in (error.lowest, error.middle, error.highest)]


def _worst(error: ModelError) -> str:
    if error.lowest is None or error.highest is None:
        return "-"
    return str(error.highest_run if error.highest >= 1 / error.lowest else error.lowest_run)


def _modelled(ratio: Ratio, unit: str) -> list[str]:
    if ratio.low == ratio.high:
        return [readable(ratio.modelled, unit), f"{ratio.ratio:.2f}"]
    inside = "inside" if ratio.low <= ratio.measured <= ratio.high else "outside"
    return [f"{readable(ratio.low, unit)} to {readable(ratio.high, unit)}", f"measured lies {inside}"]


def _energies(ratio: Ratio) -> list[str]:
    runs = next(m for m in load_measurements() if m.name == ratio.network).runs
    activity = next(run.activity for run in runs if run.name == ratio.run)
    return [readable(ratio.measured, "J"), *_modelled(ratio, "J"), activity]


def _dvs_step() -> str:
    events = load_events()["dvs_gesture"].value
    return readable(sum(events.joules(models("loihi1")[0]).values()) / events.steps, "J")


def _counts(ratio: Ratio) -> str:
    return "yes" if ratio.counts else f"no: {ratio.not_because}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
