"""The energy report as one self-contained HTML page: no request leaves it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hw_models.atomic_files import atomic_file
from hw_models.energy.units import readable

FOLDER = Path(__file__).parent / "page"
COLOURS = 8  # of style.css
CHIPS_DRAWN = 4
NAME_LENGTH = 32


def write_energy_page(report: dict[str, Any], path: Path, *, force: bool = False) -> None:
    """Writes the page of a report of `hw_models.energy.report`, whole or not at all.

    Raises:
        UserError: `path` exists and `force` is not given.
    """
    with atomic_file(path, force=force) as temporary:
        temporary.write_text(energy_page(report), encoding="utf-8")


def energy_page(report: dict[str, Any]) -> str:
    """The page as text. Names come from foreign files: Jinja escapes every one."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "joules": lambda value: "no upper bound" if value is None else readable(value, "J"),
        "seconds": lambda value: readable(value, "s"),
        "count": lambda value: f"{value:,.0f}",
        "words": lambda name: str(name).replace("_", " "),
        "shortened": lambda name: name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…",
        "look": _look,
    }
    layers = report["counts"]["layers"]
    colours = {layer["name"]: index % COLOURS for index, layer in enumerate(layers)}
    mapping = report.get("mapping") or {}
    return environment.get_template("page.html.j2").render(
        report=report,
        title=Path(report.get("artefact", "a network")).name,
        version=_version(),
        style=Markup((FOLDER / "style.css").read_text(encoding="utf-8")),
        script=Markup((FOLDER / "interact.js").read_text(encoding="utf-8")),
        models=[_headline(report[key]) for key in ("energy", "energy_sanafe") if report.get(key)],
        energy_views=_energy_views(report, colours),
        rates=[
            _bar(each["name"], each["spikes_a_neuron_and_step"], f"{each['spikes_a_neuron_and_step']:.3f}", colours)
            for each in layers
        ],
        operations=[
            _bar(
                each["name"],
                each["synaptic_operations"]["mean"],
                f"{each['synaptic_operations']['mean']:,.0f}",
                colours,
            )
            for each in layers
        ],
        colours=colours,
        cores=_core_maps(mapping, colours),
        more_chips=max(0, mapping.get("chips", 0) - CHIPS_DRAWN),
        histograms=_histograms(report.get("histograms"), colours),
    )


def _look(status: str) -> str:
    """The look of a status: the most doubtful word in it decides."""
    if "assumed" in status:
        return "assumed"
    return "measured" if status == "measured" else "modelled"


def _headline(energy: dict[str, Any]) -> dict[str, Any]:
    total = energy["total"]
    if total["high"] is None:
        shown = f"at least {readable(total['low'], 'J')}"
    elif total["low"] == total["high"]:
        shown = readable(total["mean"], "J")
    else:
        shown = f"{readable(total['low'], 'J')} to {readable(total['high'], 'J')}"
    return {**energy, "range": shown}


def _energy_views(report: dict[str, Any], colours: dict[str, int]) -> list[dict[str, Any]]:
    """What the bars can show: terms of each model, and layers."""
    views = []
    for key, name in (("energy", "Terms"), ("energy_sanafe", "Terms, SANA-FE's")):
        energy = report.get(key)
        if energy:
            rows = [
                {"name": t["name"], "value": t["joules"]["mean"], "text": readable(t["joules"]["mean"], "J"),
                 "colour": index % COLOURS}
                for index, t in enumerate(energy["terms"])
            ]  # fmt: skip
            views.append({"name": name, "title": energy["title"], "status": energy["status"], "rows": rows, "note": ""})
    price = {
        t["name"]: t["joules"]["mean"] / t["count"]["mean"] for t in report["energy"]["terms"] if t["count"]["mean"]
    }
    rows = []
    for layer in report["counts"]["layers"]:
        value = sum(
            layer[counted]["mean"] * price.get(term, 0.0)
            for counted, term in (
                ("synaptic_operations", "synaptic operations"),
                ("updates_active", "neuron updates, active"),
                ("updates_inactive", "neuron updates, inactive"),
            )
        )
        rows.append(_bar(layer["name"], value, readable(value, "J"), colours))
    views.insert(
        1,
        {
            "name": "Layers",
            "title": report["energy"]["title"],
            "status": report["energy"]["status"],
            "rows": rows,
            "note": "Synaptic operations at the layer that they end in, and neuron updates; messages and hops, which "
            "belong to two layers, are left out.",
        },
    )
    return views


def _bar(name: str, value: float, text: str, colours: dict[str, int]) -> dict[str, Any]:
    return {"name": name, "value": value, "text": text, "colour": colours[name]}


def _core_maps(mapping: dict[str, Any], colours: dict[str, int]) -> list[dict[str, Any]]:
    """Rectangles of the first chips: tiles of four cores, those in use in their layer's colour."""
    if "core_list" not in mapping:
        return []
    grid, cores = mapping["grid"], mapping["core_list"]
    side = 2 if grid["cores_per_tile"] == 4 else grid["cores_per_tile"]
    maps = []
    for chip in range(min(mapping["chips"], CHIPS_DRAWN)):
        drawn = []
        waiting: dict[tuple[int, ...], list[dict[str, Any]]] = {}
        for core in cores:
            if core["chip"] == chip:
                waiting.setdefault(tuple(core["tile"]), []).append(core)
        for column in range(grid["columns"]):
            for row in range(grid["rows"]):
                here = waiting.get((column, row), [])
                for place in range(grid["cores_per_tile"]):
                    x = column * (13 * side + 6) + place % side * 13
                    y = row * (13 * (grid["cores_per_tile"] // side) + 6) + place // side * 13
                    used = place < len(here)
                    fill = f"var(--c{colours.get(here[place]['population'], 0)})" if used else "var(--line)"
                    drawn.append({"x": x, "y": y, "fill": fill, "text": _core_text(here[place]) if used else "free"})
        maps.append(
            {
                "number": chip,
                "cores": drawn,
                "width": grid["columns"] * (13 * side + 6),
                "height": grid["rows"] * (13 * (grid["cores_per_tile"] // side) + 6),
            }
        )
    return maps


def _core_text(core: dict[str, Any]) -> str:
    box = " x ".join(f"{start}..{stop - 1}" for start, stop in core["slice"])
    return (
        f"{core['population']} {box}: {core['neurons_per_core']:,} neurons, "
        f"{core['messages_in']:,.0f} messages in, {core['messages_out']:,.0f} out, nearest limit "
        f"{core['binding_limit'].replace('_', ' ')}"
    )


def _histograms(figures: dict[str, Any] | None, colours: dict[str, int]) -> list[dict[str, Any]]:
    drawn = []
    for layer in (figures or {}).get("layers", ()):
        counts, edges = layer["counts"], layer["edges"]
        low, high, most = edges[0], edges[-1], max(counts) or 1
        width = 400 / len(counts)
        bars = [
            {
                "x": round(index * width, 2),
                "y": round(96 - 92 * count / most, 2),
                "width": round(width - 1, 2),
                "height": round(92 * count / most, 2),
                "text": f"{edges[index]:.2f} to {edges[index + 1]:.2f} thresholds: {count:,}",
            }
            for index, count in enumerate(counts)
        ]
        drawn.append(
            {
                "name": layer["name"],
                "bars": bars,
                "low": f"{low:.2f}",
                "threshold": round(400 * (1 - low) / (high - low), 2),
                "colour": colours[layer["name"]],
            }
        )
    return drawn


def _version() -> str:
    try:
        return version("dalif-deploy")
    except PackageNotFoundError:  # run from its source folder
        return "(not installed)"
