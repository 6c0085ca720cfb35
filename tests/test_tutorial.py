"""The tutorial's commands, as they stand in the docs, one after another."""

import re
import shlex
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"


def commands():
    lines = re.findall(r"^    \$ (dalif-.*)$", TUTORIAL.read_text(encoding="utf-8"), re.M)
    return [shlex.split(line) for line in lines]


def shorter(command):
    """Options that come last count."""
    if command[0] == "dalif-train":
        return [*command, "--epochs", "1"]
    return command if command[0] == "dalif-export" else [*command, "--limit", "10"]


def run(command, capfd):
    """In this process: the imports of seven commands would take half a minute."""
    name, *arguments = command
    main = import_module(f"dalif_deploy.cli.{name.removeprefix('dalif-')}").main
    with patch.object(sys, "argv", [name, *arguments]):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    out, error = capfd.readouterr()
    assert not code, error
    return out + error


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_tutorial_runs(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    found = commands()
    assert [c[0] for c in found] == [
        "dalif-train",
        "dalif-export",
        "dalif-simulate",
        "dalif-simulate",
        "dalif-energy",
        "dalif-export",
        "dalif-energy",
    ]
    printed = [run(shorter(command), capfd) for command in found]
    assert "written to runs/x/model.pt" in printed[0]
    assert "integer engines agree to the bit: yes" in printed[3]
    assert re.search(r"lava .*123,680 +│ 0 ", printed[3])
    assert "its figures are assumed" in printed[4]
    assert "energy ratio, NVIDIA A100" in printed[6]
