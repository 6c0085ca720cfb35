"""The tutorial's commands, as they stand in the docs, one after another."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

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


def run(command, folder):
    executable = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [executable, *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "COLUMNS": "200", "TORCHDYNAMO_DISABLE": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_tutorial_runs(tmp_path):
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
    printed = [run(shorter(command), tmp_path) for command in found]
    assert "written to runs/x/model.pt" in printed[0]
    assert "integer engines agree to the bit: yes" in printed[3]
    assert re.search(r"lava .*123,680 +│ 0 ", printed[3])
    assert "its figures are assumed" in printed[4]
    assert "energy ratio, NVIDIA A100" in printed[6]
