"""Options of engines as options of a command: what the table of engines declares, and nothing beside."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from dalif_deploy.simulation.engines import engine_options


def with_engine_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each that some engine declares, in place of its parameter `options`.

    Args:
        command: its `options` gets those that were given, by name.
    """
    declared = engine_options()

    @functools.wraps(command)
    def told(**given: Any) -> None:
        options = {name: given.pop(name) for name in declared}
        command(**given, options={name: value for name, value in options.items() if value is not None})

    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "options":
            parameters += [_flag(name, default, about) for name, (default, about) in declared.items()]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
    vars(told)["__signature__"] = inspect.Signature(parameters)
    told.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return told


def _flag(name: str, default: int | float | str, about: str) -> inspect.Parameter:
    kind = type(default)
    option = typer.Option(
        f"--{name.replace('_', '-')}", min=1 if kind is int else None, help=f"{about}; {default} by default."
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
