"""A sweep as a picture: accuracy over energy and over latency, a column for each set of points that may be compared.

Drawn by matplotlib, which most who train networks have.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.reports.sweep_words import by_scope, varied

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDINGS = (".png", ".svg", ".pdf")
WIDE = 4.0  # times: figures further apart than that need a logarithmic axis
FRONT, BEATEN = "#0b6e4f", "#8a8f98"


def check_plot(path: Path) -> None:
    """Says before the work that the plot can't be drawn.

    Raises:
        UserError: an ending that is not drawn; matplotlib is missing.
    """
    import importlib.util

    if path.suffix.lower() not in ENDINGS:
        raise UserError(
            "can't draw this kind of picture", where=str(path), remedy=f"give a name that ends in {', '.join(ENDINGS)}"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("--plot needs matplotlib", remedy="pip install 'dalif-deploy[plot]'")


def write_sweep_plot(sweep: dict[str, Any], path: Path, *, force: bool = False) -> None:
    """Draws the dict of `dalif_deploy.exploration.explore`; without a point that has figures, nothing.

    Raises:
        UserError: see `check_plot`; the file exists and `force` is not set.
    """
    check_plot(path)
    groups = by_scope(sweep)
    if not groups:
        return
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # text stays text, and the same sweep draws the same bytes
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "sweep", "font.size": 9}):
        figure = Figure(figsize=(1.5 + 4.2 * len(groups), 7), layout="constrained")
        grid = figure.subplots(2, len(groups), squeeze=False, sharey=True)
        for column, (scope, points) in enumerate(groups.items()):
            grid[0, column].set_title(scope, fontweight="bold")
            for row, kind in enumerate(("energy", "latency")):
                # the columns of a row alike, or their distances would not be
                wide = any(_wide(others, kind) for others in groups.values())
                _draw(grid[row, column], points, kind, wide=wide)
        for axes in grid[:, 0]:
            axes.set_ylabel(_height(next(iter(groups.values())))[0])
        handles, names = grid[0, 0].get_legend_handles_labels()
        if names:
            figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
        figure.suptitle(f"{sweep['source']}, {sweep['data']}; larger: more cores", fontsize=9)
        metadata = {
            ".png": {"Comment": MARK},
            ".svg": {"Creator": MARK, "Date": None},
            ".pdf": {"Creator": MARK, "CreationDate": None},
        }[path.suffix.lower()]
        with atomic_file(path, force=force) as temporary:
            figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=150, metadata=metadata)


def _wide(points: list[dict[str, Any]], kind: str) -> bool:
    means = [_range(point, kind)[1] for point in points]
    return max(means) > WIDE * min(means)


def _draw(axes: Axes, points: list[dict[str, Any]], kind: str, *, wide: bool) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    first, keys = points[0], varied(points)
    assumed = "assumed" in first[kind]["status"]
    largest = max(point["cores"] for point in points)
    heights = _height(points)[1]
    for point, y in sorted(zip(points, heights, strict=True), key=lambda pair: pair[0]["on_front"]):
        low, mean, high = _range(point, kind)
        colour = FRONT if point["on_front"] else BEATEN
        axes.errorbar(
            mean,
            y,
            xerr=[[max(0.0, mean - low)], [mean * 0.12 if high is None else max(0.0, high - mean)]],
            xlolims=high is None,  # an arrow: no upper bound is known
            fmt="o",
            markersize=5 + 7 * (point["cores"] / largest) ** 0.5,
            color=colour,
            # full is modelled, empty is assumed, as on the report's page
            markerfacecolor="none" if assumed else colour,
            elinewidth=1,
            zorder=3 if point["on_front"] else 2,
        )
        if point["on_front"]:
            label = " ".join(f"{_short(key)}{point['settings'][key]}" for key in keys)
            # to the upper left, where a front has nothing
            axes.annotate(label, (mean, y), (-6, 5), textcoords="offset points", ha="right", fontsize=7, color=colour)
    for colour, name in ((FRONT, "front"), (BEATEN, "beaten by another point of its column")):
        axes.plot([], [], "o", color=colour, label=name)
    axes.margins(x=0.2, y=0.12)
    if wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(EngFormatter("J" if kind == "energy" else "s"))
    axes.grid(alpha=0.25)
    what = "dynamic energy per sample" if kind == "energy" else "latency of a sample alone"
    axes.set_xlabel(f"{what}\n[{first[kind]['status']}]")


def _range(point: dict[str, Any], kind: str) -> tuple[float, float, float | None]:
    figure = point["energy"]["total"] if kind == "energy" else point["latency"]["alone"]
    return figure["low"], figure["mean"], figure["high"]


def _height(points: list[dict[str, Any]]) -> tuple[str, list[float]]:
    if any(point["accuracy"] is None for point in points):
        return "cores (no labels, so no accuracy)", [point["cores"] for point in points]
    return "accuracy, %", [100 * point["accuracy"] for point in points]


def _short(key: str) -> str:
    return {"weight-bits": "bits ", "steps": "T=", "scale-group": "", "input": "", "chip": ""}[key]
