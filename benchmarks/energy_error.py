"""Writes docs/energy-error.md: each model of the energy report against published measurements on Loihi.

    python -m benchmarks.energy_error --write docs/energy-error.md

Without --write: to the terminal. Counts are in hw_models/energy/silicon/events.json, see benchmarks/silicon_counts.py.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from dalif_deploy.hw_models.energy.constant_set import load_constants
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

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LITERATURE = Path(__file__).parent / "silicon" / "literature.toml"
CHIPS = {"loihi1": "Loihi 1", "loihi2": "Loihi 2"}
INTRODUCTION = """# How far the energy models are from real chips

Written by `python -m benchmarks.energy_error --write docs/energy-error.md`; don't edit it by hand.

Others have measured networks on Loihi. Those that published enough were rebuilt here: this package's simulator
counted their events, and the sets of constants priced the events as they stand. **No constant was fitted to these
measurements.** A ratio is the modelled figure over the measured one, so 2 means that the model says twice too much.
What each source states, where it states it, and what had to be assumed stands [at the end](#sources); the files are
`hw_models/energy/silicon/*.toml`.

A measured dynamic energy is what a whole board draws above its idle power. In places it contains input traffic and
x86 cores, which the models do not. Where that decides a row, the row is kept out of the error and says why.
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
            *_rebuilt(),
            "",
            "Few networks stand behind each factor, and they are alike: small ones, mostly for MNIST. A factor",
            "from two networks is the larger of two ratios, not a confidence interval. Every energy report",
            "repeats the sentence for its chip; where no error is claimed, its range is the spread of the",
            "constants and is called that.\n",
            *_two_generations(),
        ]
    )


def _rebuilt() -> list[str]:
    lines = []
    for chip, name in CHIPS.items():
        all_of_chip = [m for m in load_measurements() if m.chip == chip]
        found = [m.name for m in all_of_chip if any(run.events for run in m.runs)]
        lines.append(f"- {name}: {len(found)} of {len(all_of_chip)} networks could be rebuilt: {', '.join(found)}.")
    return lines


def _two_generations() -> list[str]:
    energies = _of(energy_ratios(), "loihi2")
    pair = [r for r in energies if r.network == "lif_pair"]
    far = next(r for r in energies if r.network == "acoustic_autoencoder")
    least, most = (readable(end(r.measured for r in pair), "J") for end in (min, max))
    operation = load_constants(models("loihi2")[0])["synaptic_operation"].interval("joule").value
    steps = [r.ratio for r in _of(time_ratios(), "loihi2") if r.counts]
    points = [
        "**pilotnet** and **s4d_cifar** count. The model is near them, but the activity of s4d_cifar follows from its "
        "structure and is not known; one known network is too few to leave one out.",
        f"**lif_pair**, two neurons, is known to the spike: {least} to {most} a step were measured (standard "
        f"deviation 18 to 20 nJ) and {readable(median(r.modelled for r in pair), 'J')} are modelled. What was "
        "measured is the price of a step itself (barrier, x86 cores), for which no model here has a term. A "
        "network whose step is modelled at less than some tens of nanojoules, about "
        f"{round(min(r.measured for r in pair) / operation, -2):,.0f} synaptic operations, therefore costs "
        "more on the chip than the report says.",
        f"**acoustic_autoencoder** has events that its authors counted. The model gives {far.ratio:.2f} of "
        "the measured energy. Sixteen chips were powered, the table was read second-hand: it does not count.",
        f"Modelled steps are {min(steps):.1f} times too long in both networks that count: their times are Loihi 1's.",
    ]
    return [
        "For Loihi 2 no source gives the energy of an event, so its events are priced as Loihi 1's. What the",
        "measurements say about that:\n",
        *(textwrap.fill(point, 118, initial_indent="- ", subsequent_indent="  ") for point in points),
        "",
    ]


def _energy() -> str:
    heads = ("network", "run", "constants", "measured", "modelled", "ratio", "activity", "counts")
    parts = ["## Dynamic energy of an inference\n"]
    for chip, name in CHIPS.items():
        rows = [[r.network, r.run, r.model, *_energies(r), _counts(r)] for r in _of(energy_ratios(), chip)]
        parts += [f"### {name}\n", _table(heads, rows), ""]
    parts += [
        "Where a source does not state the activity, the modelled figure is a range, from silent input to a",
        "busy one, and the ratio says whether the measured figure lies inside it. dvs_gesture has no row,",
        f"because its measured energies are not public; its modelled {_dvs_step()} a step lies on the published",
        "axis, which runs from 1 to 4 µJ.\n",
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
            "No source measures one term by itself, so a term has no error of its own. The table shows what",
            "each modelled figure above is made of, by the report's own set of constants.\n",
            _table(heads, rows),
            "",
        ]
    )


def _times() -> str:
    heads = ("network", "run", "measured", "modelled", "ratio", "counts")
    parts = [
        "## Length of a step\n",
        "A step is modelled as the busiest core's work and the barrier, at its shortest and at its longest. The ratio",
        "takes the geometric mean of the two.\n",
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
            "It stands apart because it decides a total more than any term does: how many chips are powered,",
            "and whether the others idle or are off. The power of a board of 32 chips is divided by 32.\n",
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
            "Each network is predicted from the others. Their calibration is the geometric mean of measured",
            "over modelled, where each network counts once. This takes at least two networks of known activity;",
            "a chip without them has no row.\n",
            _table(heads, rows),
            "",
        ]
    )


def looked_for() -> list[dict[str, str]]:
    """Sources of literature.toml: measurements that were searched for and not rebuilt from their own text."""
    sources: list[dict[str, str]] = tomllib.loads(LITERATURE.read_text(encoding="utf-8"))["sources"]
    return sources


def _missing() -> str:
    lines = []
    for measurement, run in _runs():
        if run.events is None:
            lines.append(
                f"- **{measurement.name}, {run.name}**: {'; '.join(measurement.missing) or run.not_for_energy}"
            )
    rows = [[CHIPS[s["chip"]], s["reference"], s["figures"], s["read"], s["lacks"]] for s in looked_for()]
    return "\n".join(
        [
            "## Not rebuilt, and what is missing\n",
            "Runs of the networks above:\n",
            *lines,
            "",
            "### Looked for\n",
            "Other measurements that were searched for, survey tables among them: by title, author and arXiv",
            "number, and by the words that Intel's profilers print, in stored web pages and in public",
            "repositories with their notebooks and data. Most papers could not be opened at their publisher or",
            "at arXiv, only what others keep of them. Where a figure was read in a survey, the table says so;",
            "no such figure is part of an error. On sigma-delta networks with local recurrence no measurement was",
            "found at all.\n",
            _table(("chip", "source", "figures that were read", "how far it was read", "what it lacks"), rows),
            "",
        ]
    )


def _sources() -> str:
    parts = [
        "## Sources\n",
        '*Read* says how far the source itself was read. What is "quoted by another" is second-hand and part of',
        "no error.\n",
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
        return [readable(ratio.modelled, unit), f"{ratio.ratio:.2f}" if ratio.ratio >= 0.1 else f"{ratio.ratio:.1g}"]
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
