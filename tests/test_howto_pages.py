"""The how-to pages that are commands and Python, followed as they stand (with fewer samples)."""

import json
import re
import shutil

import pytest

from dalif_deploy.exploration import explore as exploration
from dalif_deploy.hw_models.chips import names as chip_files
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
        if step[0] in ("dalif-simulate", "dalif-energy") and not {"--schema", "--compare"} & {*step}:
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


def test_the_first_network_and_readme_s_lines_on_it(tmp_path, monkeypatch, capfd):
    pytest.importorskip("snntorch")
    (block,) = [step for step in steps("first-network.md") if isinstance(step, str)]
    names = {}
    exec(compile(block.replace("limit=20", "limit=2"), "first-network.md", "exec"), names)
    printed = capfd.readouterr().out.splitlines()  # SANA-FE's own lines among them
    assert float(printed[0]) > 0.8 and "True" in printed and printed[-1].startswith("mean=")
    assert names["net"].steps == 25 and len(names["net"].export["verification"]["layers"]) == 2

    (readme,) = [step for step in steps("../README.md") if isinstance(step, str)]
    readme = readme.replace("limit=20", "limit=2").replace("limit=100", "limit=2")
    assert readme.index("class Net(nn.Module)") < readme.index("for _ in range") < readme.index("dd.export(model")
    (tmp_path / "readme").mkdir()
    monkeypatch.chdir(tmp_path / "readme")
    exec(compile(readme, "README.md", "exec"), {})
    as_it_stands = capfd.readouterr().out.splitlines()
    assert 0 <= float(as_it_stands[0]) <= 1 and "True" in as_it_stands and as_it_stands[-1].startswith("mean=")

    trained = readme.replace("model = Net()", "model = Net(); model.load_state_dict(trained)")
    (tmp_path / "trained").mkdir()
    monkeypatch.chdir(tmp_path / "trained")
    exec(compile(trained.split("print(dd.check")[0], "README.md", "exec"), {"trained": names["model"].state_dict()})
    assert capfd.readouterr().out.splitlines()[0] == printed[0]


def test_a_relu_network(capfd):
    names, printed = follow("howto/relu-network.md", capfd)
    assert names["found"][0] > 0.9 and abs(names["accuracy"] - names["found"][0]) <= 0.03
    assert "int8 ReLU network" in printed[-1] and "ReLU: " in printed[-2]


def test_fit_a_chip_says_what_the_page_says(capfd):
    page = (DOCS / "howto" / "fit-a-chip.md").read_text(encoding="utf-8")
    line = re.search(r"^    (error: layer out: .*)$", page, re.M).group(1)
    _, printed = follow("howto/fit-a-chip.md", capfd, expected={"dalif-energy wide": 1})
    assert any(line in text for text in printed)
    assert line.split(": ", 1)[1] in printed[-1]


@pytest.mark.slow
def test_read_the_report(capfd, monkeypatch):
    pytest.importorskip("sanafe")
    for command in (
        ["dalif-train", "--dataset", "digits", "--epochs", "1", "--channels", "4,6", "--out", "runs/x"],
        ["dalif-export", "runs/x/model.pt", "--target", "lava", "--chip", "loihi1", "-o", "runs/loihi1"],
        ["dalif-train", "--epochs", "1", "--channels", "4,6", "--neuron", "relu", "--out", "relu"],
        ["dalif-simulate", "runs/loihi1", "--data", "digits:test", "--limit", "2", "--check", "--json", "check.json"],
        ["dalif-energy", "runs/loihi1", "--data", "digits:test", "--limit", "2", "--json", "one.json"],
        ["dalif-energy", "runs/loihi1", "--data", "digits:test", "--limit", "2", "--json", "two.json"],
    ):
        assert run(command, capfd)[0] == 0
    # a machine without counters says so and exits with 1; its file is taken in all the same
    for name in ("find_counter", "find_cpu_counter"):
        monkeypatch.setattr(f"dalif_deploy.simulation.energy_session.{name}", lambda *_, **__: (None, "no counter"))
    nothing = {"dalif-energy runs/loihi1 --data digits:test --measure-only": 1}
    _, printed = follow("energy-report.md", capfd, nothing)
    assert (
        len(printed) == 10
        and "expected error" in printed[0]
        and "equal accuracy" in printed[6]
        and '"$defs"' in printed[-1]
    )


@pytest.fixture
def chips(tmp_path, monkeypatch):
    """A folder of chips that a test may write to, in place of hw_models/chips; sweeps stay in this process."""
    folder = shutil.copytree(chip_files.CHIP_FOLDER, tmp_path / "chips", ignore=shutil.ignore_patterns("*.py", "__*"))
    monkeypatch.setattr(chip_files, "CHIP_FOLDER", folder)
    serial = lambda work, tasks, _: ((n, work(task)) for n, task in enumerate(tasks))  # noqa: E731
    monkeypatch.setattr(exploration, "run_in_workers", serial)
    return folder


def test_a_chip_is_one_file(chips, tmp_path, capfd):
    """Copied and changed as the page says; then trained for, exported to, simulated, priced and swept."""
    page = (DOCS / "howto" / "add-a-chip.md").read_text(encoding="utf-8")
    source, target = re.search(r"^    cp (\S+) (\S+) ", page, re.M).groups()
    text, sanafe = (chips / source).read_text(encoding="utf-8").split("[sanafe]")
    assert "[" not in sanafe.replace("[Q]", "")
    for line in re.search(r"```toml\n(.*?)```", page, re.S).group(1).splitlines():
        key = line.split(" = ")[0]
        text, changed = re.subn(rf"^{key} = .*$", line.replace("\\", ""), text, flags=re.M)
        assert changed == 1, key
    (chips / target).write_text(text, encoding="utf-8")
    _, printed = follow("howto/add-a-chip.md", capfd)
    report = json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))
    assert report["chip"] == "mine" and report["mapping"]["cores"] > 1
    assert report["energy"]["status"] == "assumed" == report["latency"]["status"]
    assert "mine: assumed to cost what Loihi 1 does" in report["energy"]["title"]
    assert report["comparisons"] == [] and report["energy_sanafe"] is None
    assert "My chip" in (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out" / "export.json").read_text())["input"] == "bias"
    assert "mine" in printed[-1] and "loihi1" in printed[-1]
