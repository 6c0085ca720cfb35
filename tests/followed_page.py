"""A page "add a ..." followed to the letter, on a copy of the package: its files written, its lines put in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs_pages import DOCS

ROOT = DOCS.parent
BLOCK = re.compile(r"`([\w/]+\.py)`:\n\n```(python|diff)\n(.*?)```", re.S)


class FollowedPage:
    """The package with what a page adds.

    Attributes:
        folder: holds the copy.
        touched: files that the page names, as it names them.
    """

    def __init__(self, page: str, folder: Path):
        self.folder, self.touched = folder, []
        for package in ("dalif_deploy", "converters", "hw_models"):
            shutil.copytree(ROOT / package, folder / package, symlinks=True)
        for name, kind, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
            path = folder / name
            self.touched.append(name)
            if kind == "python":
                assert not path.exists(), f"{name} is there already"
                path.write_text(text, encoding="utf-8")
            else:
                path.write_text(with_lines(path.read_text(encoding="utf-8"), text), encoding="utf-8")

    def run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """A command of the copy, in its folder."""
        code = f"import dalif_deploy; from dalif_deploy.cli.{command} import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=200,
        )


def with_lines(text: str, diff: str) -> str:
    """`text` with the lines marked + where the others of the diff, each of which is there once, have them."""
    lines, here, waiting = text.split("\n"), 0, []
    for line in diff.strip("\n").split("\n"):
        mark, content = line[0], line[1:]
        if mark == "+":
            waiting.append(content)
            continue
        assert lines.count(content) == 1, f"{content!r} is there {lines.count(content)} times"
        found = lines.index(content)
        if waiting and here == 0:  # before the first line that is named
            lines[found:found] = waiting
        else:
            lines[here:here] = waiting
        here = lines.index(content) + 1
        waiting = []
    lines[here:here] = waiting
    return "\n".join(lines)
