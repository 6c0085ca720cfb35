"""Pages of the docs as a reader follows them: commands and Python, from top to bottom."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.commands_here import run_here

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


def run(command: list[str], capfd) -> tuple[int, str]:
    """Exit code and all that is printed."""
    done = run_here(command, capfd)
    return done.returncode, done.stdout + done.stderr
