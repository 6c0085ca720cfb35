"""The tutorial's commands, as they stand in the docs, one after another."""

import re

import pytest

from tests.docs_pages import DOCS, commands, run


def shorter(command):
    """Options that come last count."""
    if command[0] == "dalif-train":
        return [*command, "--epochs", "1"]
    return command if command[0] == "dalif-export" else [*command, "--limit", "10"]


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_tutorial_runs(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    found = commands((DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert [c[0] for c in found] == [
        "dalif-train",
        "dalif-export",
        "dalif-simulate",
        "dalif-simulate",
        "dalif-energy",
        "dalif-export",
        "dalif-energy",
    ]
    printed = []
    for command in found:
        code, text = run(shorter(command), capfd)
        assert not code, text
        printed.append(text)
    assert "written to runs/x/model.pt" in printed[0]
    assert "integer engines agree to the bit: yes" in printed[3]
    assert re.search(r"lava .*123,680 +│ 0 ", printed[3])
    assert "its figures are assumed" in printed[4]
    assert "energy ratio, NVIDIA A100" in printed[6]
