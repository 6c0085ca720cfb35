"""Pictures of docs/load.md, of what benchmarks/load.py measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

KINDS = {"simulate": "simulator", "count": "with exact counts", "map": "mapping"}
AXES = {"layers": "layers", "neurons": "neurons of a layer", "steps": "steps T", "samples": "samples"}


def draw(figures: Path, folder: Path) -> None:
    """Draws what there are figures of."""
    for name, drawing in (("images", images), ("lava", lava), ("growth", growth)):
        file = figures / f"{name}.json"
        if file.exists():
            figure = drawing(json.loads(file.read_text(encoding="utf-8")))
            figure.tight_layout()
            figure.savefig(folder / f"load-{name}.png", dpi=110)
            plt.close(figure)


def images(rows: list[dict[str, Any]]) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(5, 3.2))
    for command in dict.fromkeys(row["command"] for row in rows):
        mine = [row for row in rows if row["command"] == command]
        axes.plot([r["samples"] for r in mine], [r["peak_bytes"] / 1e6 for r in mine], "o-", label=command)
    axes.set(xlabel="images", ylabel="largest resident set, MB", ylim=(0, None), xlim=(0, None))
    axes.legend()
    return figure


def lava(found: dict[str, Any]) -> plt.Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    rows = [row for row in found["rows"] if row["sample"] > 0]
    along = [row["sample"] for row in rows]
    left.plot(along, [(row["Pss_Anon"] + row["Pss_Shmem"]) / 1e6 for row in rows], label="their own and shared")
    left.plot(along, [row["Pss"] / 1e6 for row in rows], label="with mapped files: programs, samples, results")
    left.legend(fontsize=8)
    left.set(xlabel="samples done", ylabel="memory of Lava's processes, MB", ylim=(0, None))
    tenths = found["seconds_a_sample"]
    right.plot([found["samples"] * (i + 1.5) / 10 for i in range(len(tenths))], [1e3 * each for each in tenths], "o-")
    right.set(xlabel="samples done", ylabel="ms a sample, median", ylim=(0, None), xlim=(0, found["samples"]))
    return figure


def growth(found: dict[str, Any]) -> plt.Figure:
    figure, panels = plt.subplots(2, 4, figsize=(14, 7))
    for column, (axis, label) in enumerate(AXES.items()):
        rows, exponents = found[axis]["rows"], found[axis]["exponents"]
        along = [row[axis] for row in rows]
        for kind, name in KINDS.items():
            if kind in rows[0]:
                panels[0, column].loglog(
                    along, [row[kind] for row in rows], "o-", label=f"{name}: exponent {exponents[kind]:.2f}"
                )
        bytes_label = f"exponent {exponents['bytes']:.2f}"
        panels[1, column].loglog(along, [row["bytes"] / 1e6 for row in rows], "s-", color="black", label=bytes_label)
        for panel in panels[:, column]:
            panel.set_xlabel(label)
            panel.grid(alpha=0.3)
            panel.legend(
                fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.42 if panel is panels[0, column] else 1.2)
            )
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("memory above the loaded program, MB")
    return figure
