"""dalif-energy --sweep: many settings of one network, in processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalif_deploy.cli.command import write_json
from dalif_deploy.hw_models.errors import CheckFailed, UserError

if TYPE_CHECKING:
    from dalif_deploy.exploration.explore import Exploration


def split_words(words: list[str], sweep: list[str] | None) -> tuple[Path, list[str]]:
    """The network, and the settings: the option takes one word, those after it arrive among the arguments.

    Raises:
        UserError: not exactly one network.
    """
    settings = [word for word in words if sweep and "=" in word and not Path(word).exists()]
    networks = [word for word in words if word not in settings]
    if len(networks) != 1:
        what = f"{len(networks)} networks given ({', '.join(networks)})" if networks else "no network given"
        raise UserError(what, remedy="give one" + (", and settings as KEY=V1,V2" if sweep else ""))
    return Path(networks[0]), [*(sweep or []), *settings]


def refuse_unsuited(settings: list[str], without: dict[str, Any], within: dict[str, Any]) -> None:
    """Options that make no sense with, or without, a sweep."""
    unsuited, why = (without, "for one network, not for a sweep") if settings else (within, "for a --sweep")
    for option, given in unsuited.items():
        if given is not None:
            raise UserError(f"{option} is {why}")


def sweep_result(json_file: str | None, *, resume: bool) -> Path | None:
    """The file beside which points are kept as they come; None where the figures go to no file.

    Raises:
        UserError: a sweep is to be resumed whose points went nowhere.
    """
    if json_file is not None and json_file != "-":
        return Path(json_file)
    if resume:
        raise UserError("--resume needs the --json FILE that the sweep was begun with", remedy="name it")
    return None


def run_sweep(asked: Exploration, *, json_file: str | None, plot_file: Path | None, force: bool, debug: bool) -> None:
    """Runs the sweep and writes table, JSON and plot.

    Raises:
        CheckFailed: no point has figures, or a worker failed.
    """
    from rich.console import Console

    from dalif_deploy.exploration.explore import explore
    from dalif_deploy.exploration.journal import remove_journal
    from dalif_deploy.hw_models.progress import told
    from dalif_deploy.hw_models.progress_bars import shown_progress
    from dalif_deploy.reports.sweep_plot import check_plot, write_sweep_plot
    from dalif_deploy.reports.sweep_table import print_sweep

    if plot_file is not None:
        check_plot(plot_file)
    with shown_progress():
        found = explore(
            asked,
            progress=lambda done, total: told("points", done, total),
            came=lambda point: print(_in_a_line(point), file=sys.stderr) if sys.stderr.isatty() else None,
            failed=lambda settings, failure: print(failure.trace, file=sys.stderr) if debug else None,
        )
    # files first: they must not be lost when the tables' reader (head, less) goes away
    write_json(found, json_file, force=force)
    if plot_file is not None:
        write_sweep_plot(found, plot_file, force=force)
    print_sweep(found, Console(stderr=json_file == "-"))
    statuses = [point["status"] for point in found["points"]]
    if "failed" not in statuses:
        remove_journal(asked.result)
    if failures := statuses.count("failed"):
        remedy = "see the table; --debug shows why"
        if asked.result is not None:
            remedy += "; --resume --force tries them again"
        raise CheckFailed(f"{failures} of {len(statuses)} points failed", remedy=remedy)
    if "done" not in statuses:
        raise CheckFailed("no point of the sweep fits its chip", remedy="see the reasons in the table")


def _in_a_line(point: dict[str, Any]) -> str:
    """A point as it comes, for those who watch."""
    settings = ", ".join(f"{key} {value}" for key, value in point["settings"].items())
    if point["status"] != "done":
        return f"{settings}: {point['status']}"
    accuracy = "" if point["accuracy"] is None else f"{100 * point['accuracy']:.1f} %, "
    return f"{settings}: {accuracy}{point['cores']} cores"
