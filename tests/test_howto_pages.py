"""The how-to pages that are commands and Python, followed as they stand (with fewer samples)."""

import re
import shutil

import pytest

from tests.docs_pages import DOCS, run, steps

LAVA_DL_FILE = DOCS.parent / "tests" / "data" / "lava_dl" / "ntidigits.net"


def follow(page, capfd, expected=None):
    """Runs a page in the present folder. `expected`: exit codes other than 0, by first words of a command."""
    names, printed = {}, []
    for step in steps(page):
        if isinstance(step, str):
            exec(compile(step.replace("limit=100", "limit=2"), page, "exec"), names)
            out, error = capfd.readouterr()
            printed.append(out + error)
            continue
        if step[0] in ("dalif-simulate", "dalif-energy") and "--schema" not in step:
            step = [*step, "--limit", "2"]
        code, text = run(step, capfd)
        wanted = next((c for words, c in (expected or {}).items() if " ".join(step).startswith(words)), 0)
        assert code == wanted, (step, text)
        printed.append(text)
    return names, printed


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")


@pytest.mark.slow
def test_bring_your_own_network(tmp_path, capfd):
    pytest.importorskip("snntorch")
    shutil.copy(LAVA_DL_FILE, tmp_path / "network.net")
    names, printed = follow("howto/bring-your-network.md", capfd)
    assert names["net"].network.chip == "loihi2"
    assert any("integer engines agree to the bit: yes" in text for text in printed)
    assert (tmp_path / "seen.npz").exists() and (tmp_path / "out-net" / "network.nir").exists()


def test_fit_a_chip_says_what_the_page_says(capfd):
    page = (DOCS / "howto" / "fit-a-chip.md").read_text(encoding="utf-8")
    line = re.search(r"^    (error: layer out: .*)$", page, re.M).group(1)
    _, printed = follow("howto/fit-a-chip.md", capfd, expected={"dalif-energy wide": 1})
    assert any(line in text for text in printed)
    assert line.split(": ", 1)[1] in printed[-1]


@pytest.mark.slow
def test_read_the_report(capfd):
    pytest.importorskip("sanafe")
    for command in (
        ["dalif-train", "--dataset", "digits", "--epochs", "1", "--channels", "4,6", "--out", "runs/x"],
        ["dalif-export", "runs/x/model.pt", "--target", "lava", "--chip", "loihi1", "-o", "runs/loihi1"],
    ):
        assert run(command, capfd)[0] == 0
    _, printed = follow("energy-report.md", capfd)
    assert len(printed) == 5 and "energy ratio" in printed[0] and '"$defs"' in printed[-1]
