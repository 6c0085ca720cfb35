"""What all commands share: one-line errors, exit codes, machine-readable output.

Exit codes: 0 done; 1 a check failed; 2 bad usage or bad input; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dalif_deploy.cli.one_error import let_others_speak_first
from dalif_deploy.cli.standard_streams import flush_output, prepare_streams
from dalif_deploy.hw_models.errors import FitWarning, UserError, is_out_of_memory

INTERRUPTED = 130
EXIT_CODES = f"Exit codes: 0 done; 1 a check failed; 2 bad usage or input; {INTERRUPTED} interrupted."
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # of click, or of the copy that newer typers have


def _print_version(asked: bool) -> None:
    if asked:
        from dalif_deploy import __version__

        print(f"dalif-deploy {__version__}")
        raise typer.Exit


JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON; - means standard output.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback when something fails.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite output of dalif-deploy; never any other file.")]
VersionOption = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
]
DetailsOption = Annotated[bool, typer.Option("--details", help="Print every table, not one screen.")]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS|local:N",
        help="Share the work out to a Dask scheduler's processes, or to N on this machine (extra `cluster`).",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Random seed.")]


def run_command(function: Callable[..., None], arguments: list[str] | None = None) -> None:
    """Runs `function` as a typer command over `arguments` (the command line's) and ends the process with its exit code.

    A fault of the user's input is one line on standard error; its traceback shows only under --debug.
    """
    debug = "--debug" in sys.argv[1:]
    name = f"dalif-{function.__name__}"
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(epilog=EXIT_CODES)(function)
    prepare_streams()
    _warnings_in_one_line()
    try:
        _require_working_folder()
        try:
            code = app(arguments, prog_name=name, standalone_mode=False)
        finally:
            flush_output()
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except _UsageError as error:
        let_others_speak_first()
        what = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        print(f"error: {what}; see {name} --help", file=sys.stderr)
        sys.exit(2)
    except UserError as error:
        if debug:
            raise
        let_others_speak_first()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (MemoryError, RuntimeError) as error:
        if debug or not is_out_of_memory(error):
            raise
        let_others_speak_first()
        print("error: out of memory; use a smaller --limit or --batch-size", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # of surroundings that no reader or writer of ours stands for
        if debug:
            raise
        where = str(error.filename) if error.filename else None
        fault = UserError(error.strerror or str(error), where=where, remedy="--debug shows where it happened")
        let_others_speak_first()
        print(f"error: {fault}", file=sys.stderr)
        sys.exit(2)


def _warnings_in_one_line() -> None:
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, FitWarning):
            print(f"warning: {message}", file=sys.stderr)
        else:
            others(message, category, *where, **more)

    warnings.showwarning = show
    warnings.simplefilter("always", FitWarning)


def _require_working_folder() -> None:
    # MKL, which torch calls, ends the process where it is gone
    try:
        os.getcwd()
    except OSError as error:
        raise UserError("the working folder is gone", remedy="change to a folder that exists") from error


def require_free_files(*files: str | Path | None, force: bool, out: Path | None = None) -> None:
    """Says before the work, not after it, that a result has nowhere to go; None and `-` are no files.

    Args:
        out: a folder that is written, too.
    """
    from dalif_deploy.hw_models.files.ownership import require_free

    given = [file for file in files if file is not None and str(file) != "-"]
    places = [Path(file).absolute() for file in (*given, *([] if out is None else [out]))]
    for file in given:
        if places.count(Path(file).absolute()) > 1:
            raise UserError("two options write this file", where=str(file), remedy="give each its own")
        require_free(file, force)


def write_json(figures: dict[str, Any], destination: str | None, *, force: bool = False) -> None:
    """Writes `figures` to a file (whole or not at all), or to standard output for `-`; None writes nothing."""
    if destination is None:
        return
    from dalif_deploy.hw_models.files.atomic import atomic_file
    from dalif_deploy.hw_models.files.ownership import MARK

    text = json.dumps({"mark": MARK, **figures}, indent=2, sort_keys=False, allow_nan=False) + "\n"
    if destination == "-":
        sys.stdout.write(text)
        return
    with atomic_file(Path(destination), force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")
