"""SIGKILL while an export, a report or a checkpoint is written: whole and old, or whole and new, or nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parents[1])


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_writers", str(tmp_path_factory.mktemp("killed")), "0"],
        capture_output=True, text=True, timeout=280, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["export", "export over another", "checkpoint", "report"])
def test_nothing_half_written_and_nothing_in_the_way(killed, kind):
    seen, faults = killed[kind]
    assert faults == []
    # it was killed before and after the moment that counts, and did leave something to be in the way of the next
    assert seen["touches"] >= 4 and seen["left"] >= 2
    assert seen.get("old", 0) + seen.get("absent", 0) >= 3
    if kind == "export over another":
        assert seen["new"] >= 1 and seen["absent"] >= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_copy_in_place_of_a_rename_is_noticed(killed):
    _, faults = killed["copied"]
    assert any("writes into what is to appear whole" in fault for fault in faults)
