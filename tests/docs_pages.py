"""Pages of the docs as a reader follows them: commands and Python, from top to bottom."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

DOCS = Path(__file__).parents[1] / "docs"


def commands(text: str) -> list[list[str]]:
    """The commands of this project in indented blocks, continued lines joined, comments off."""
    lines = re.findall(r"^    (?:\$ )?(dalif-.*)$", text.replace("\\\n", " "), re.M)
    return [shlex.split(line, comments=True) for line in lines]


def steps(page: str) -> list[list[str] | str]:
    """Commands (as words) and Python blocks (as text) of docs/PAGE in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found: list[list[str] | str] = []
    for part in re.split(r"(^```python\n.*?^```$)", text, flags=re.M | re.S):
        if part.startswith("```python"):
            found.append(part.removeprefix("```python\n").removesuffix("```"))
        else:
            found.extend(commands(part))
    return found


def main_of(command: str):
    return import_module(f"dalif_deploy.cli.{command.removeprefix('dalif-')}").main


def run(command: list[str], capfd) -> tuple[int, str]:
    """Exit code and all that is printed. In this process: a process each would spend most of its time on imports."""
    name, *arguments = command
    with patch.object(sys, "argv", [name, *arguments]):
        try:
            main_of(name)()
            code = 0
        except SystemExit as end:
            code = end.code or 0
    out, error = capfd.readouterr()
    return code, out + error
