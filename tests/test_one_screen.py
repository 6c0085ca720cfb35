"""What the commands print by default: one screen, the answer first; the rest by --details, on the page, in the JSON."""

import html
import io
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dalif_deploy.api import energy_report
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.hw_models.energy.figures import OverSamples
from dalif_deploy.hw_models.energy.opponents.equal_accuracy import Baseline8Bit, equal_accuracy
from dalif_deploy.hw_models.energy.opponents.memory_accounting import DenseLayer
from dalif_deploy.hw_models.energy.report import EnergyReport
from dalif_deploy.hw_models.energy.report.mapping import mapping_figures
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.mapping import DoesNotFit
from dalif_deploy.reports.comparison import compare_reports
from dalif_deploy.reports.comparison_page import comparison_page
from dalif_deploy.reports.energy_page import energy_page
from dalif_deploy.reports.energy_screen import print_energy_screen
from dalif_deploy.reports.energy_sentence import energy_sentence, error_sentence
from dalif_deploy.simulation.engines import ENGINES
from tests.commands_here import run_here
from tests.test_commands import checkpoint
from tests.test_energy_page import EVIL, Page, with_evil_names
from tests.test_nir_paper import PAPER

LINES, COLUMNS = 30, 80
DATA = ("--data", "digits:test", "--limit", "4")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    source = checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2])
    return {
        chip: export_network(source, "lava", folder / chip, request=ExportRequest(chip=chip))
        for chip in ("loihi1", "loihi2")
    }


@pytest.fixture(scope="module")
def reports(exported):
    return {chip: energy_report(artefact, "digits:test", limit=4) for chip, artefact in exported.items()}


@pytest.fixture
def quick_engines(monkeypatch):
    """As many as there are, so that their rows have to fit; those that start for seconds are quick ones again."""
    for name, quick in {"lava": "fast", "c": "fast", "sanafe": "fast", "onnx": "fast", "norse": "torch"}.items():
        monkeypatch.setitem(ENGINES, name, type(name, (ENGINES[quick],), {"name": name}))


def printed_screen(report, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    print_energy_screen(report, Console(width=COLUMNS, file=file))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def lines_on_a_terminal(text):
    return sum(max(1, math.ceil(len(line.rstrip()) / COLUMNS)) for line in text.rstrip("\n").split("\n"))


def refused(report):
    why = DoesNotFit("input_axons_per_core", 5000, 4096, layer="many " * 200)
    return report.model_copy(update={"mapping": mapping_figures(None, why)})


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_the_energy_screen_is_one_screen_whatever_is_in_it(reports, chip):
    report = reports[chip]
    wordy = EnergyReport.model_validate({**report.to_dict(), "artefact": "runs/" + "deep-" * 40, "data": EVIL * 8})
    for each in (report, with_evil_names(report), refused(report), wordy):
        text = printed_screen(each)
        assert lines_on_a_terminal(text) <= LINES, text
        assert max(map(len, text.splitlines())) <= COLUMNS
    text = printed_screen(report)
    # the total with its word and its range, where it goes, opponents, cores, time, what is assumed
    sentence = energy_sentence(report)
    assert " ".join(text.split()).startswith(sentence) and report.energy.status in sentence
    largest = max(report.energy.terms, key=lambda term: term.joules.mean)
    shares = [int(share) for share in re.findall(r"(\d+)%", text)]
    assert largest.name in text and "█" * 24 in text and 98 <= sum(shares) <= 102
    for word in ("GPU", "int8", "cores", "time", "exact", "assumed", "--details"):
        assert re.search(rf"^(?:{word}\b|{word}:)", text, re.MULTILINE), word
    assert ("host" in text) == (report.host is not None)
    assert "does not fit" in printed_screen(refused(report))


def test_without_boxes_the_bars_are_plain(reports):
    assert "#" * 24 in printed_screen(reports["loihi1"], "ascii")


@pytest.mark.parametrize(
    ("command", "first"),
    [
        (("simulate", "FOLDER", *DATA), "engine fast"),
        (("simulate", "FOLDER", *DATA, "--check", "--engine", "torch"), "engine torch"),
        (("simulate", "FOLDER", *DATA, "--check", "all"), "integer engines agree to the bit: yes"),
        (("energy", "FOLDER", *DATA), "One inference of loihi2 on Loihi 2"),
        (("export", PAPER / "lif_norse.nir", "--steps", "30", "--target", "lava", "-o", "OUT"), "OUT"),
    ],
    ids=lambda part: None if isinstance(part, str) else "-".join(str(p) for p in part if "/" not in str(p))[:40],
)
@pytest.mark.usefixtures("quick_engines")
def test_every_command_prints_one_screen_and_more_by_details(exported, tmp_path, capfd, monkeypatch, command, first):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.chdir(tmp_path)
    words = {"FOLDER": exported["loihi2"].folder}
    done = run_here([words.get(word, word) for word in command], capfd)
    assert done.returncode == 0, done.stderr
    assert lines_on_a_terminal(done.stdout) <= LINES, done.stdout
    assert done.stdout.startswith(first)
    more = run_here([*(words.get(word, word) for word in command), "--details", "--force"], capfd)
    assert more.returncode == 0 and len(more.stdout) > len(done.stdout)


def test_many_layers_show_the_doubtful_ones(tmp_path, capfd, monkeypatch):
    from dalif_deploy.converters.artefact import Artefact
    from dalif_deploy.reports.export_screen import LAYERS, print_export_screen

    path = PAPER / "braille_noDelay_noBias_subtract.nir"
    export = export_network(path, "lava", tmp_path / "out", request=ExportRequest(steps=30)).export
    pattern = export["layers"][0]
    layers = [{**pattern, "layer": f"layer{n}", "weight_sqnr_db": 60.0 - n, "can_fire": n} for n in range(40)]
    many = Artefact(Path("out"), {**export, "layers": layers, "warnings": [f"fault {n}" for n in range(20)]})
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.chdir(tmp_path)
    print_export_screen(many, stream=sys.stdout)
    text = capfd.readouterr().out
    shown = re.findall(r"layer\d+", text)
    assert lines_on_a_terminal(text) <= LINES and "weights keep 21.0 dB or more" in " ".join(text.split())
    assert shown == [
        "layer0",
        *(f"layer{n}" for n in range(41 - LAYERS, 40)),
    ]  # the one that can't fire, the worst kept
    assert "fault 2" in text and "fault 3" not in text and "and 17 more warnings" in text


@pytest.mark.usefixtures("quick_engines")
def test_a_check_is_told_with_the_energy(exported, tmp_path, capfd):
    check, report = tmp_path / "check.json", tmp_path / "report.json"
    folders = {chip: artefact.folder for chip, artefact in exported.items()}
    done = run_here(["simulate", folders["loihi1"], *DATA, "--check", "all", "--json", check], capfd)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "page.html"
    files = ("--json", report, "--html", page)
    done = run_here(["energy", folders["loihi1"], *DATA, "--check", check, *files], capfd)
    assert done.returncode == 0, done.stderr
    told, seen = json.loads(report.read_text())["check"], json.loads(check.read_text())
    compared = sum(sum(row["compared"].values()) for row in seen["engines"].values() if row["arithmetic"] == "integer")
    assert sum(row["compared"] for row in told["held"]) == compared > 0
    fired = {name: layer["fired"] for name, layer in seen["coverage"]["layers"].items()}
    assert {layer["name"]: layer["fired"] for layer in told["layers"]} == fired
    assert f"{compared:,} values" in done.stdout.replace("\n", " ")
    assert "never ran" in page.read_text() and f"{compared:,} values" in page.read_text()
    # of another network, changed, or none at all: an error, and no file
    seen["coverage"] = None
    (tmp_path / "no.json").write_text(json.dumps(seen))
    for folder, file, words in [
        ("loihi2", check, "another network"),
        ("loihi1", tmp_path / "no.json", "holds no check"),
        ("loihi1", report, "holds no check"),
        ("loihi1", tmp_path / "missing.json", "No such file"),
    ]:
        done = run_here(["energy", folders[folder], *DATA, "--check", file, "--json", tmp_path / "new.json"], capfd)
        assert done.returncode == 2 and words in done.stderr and not (tmp_path / "new.json").exists()


def test_the_page_opens_with_a_sentence_a_picture_and_what_they_stand_on(reports):
    for report in reports.values():
        text = energy_page(report)
        page = Page(text)
        assert page.ids.index("headline") < page.ids.index("sentence") < page.ids.index("stands-on")
        first = text[text.index('id="headline"') : text.index('id="figures"')]
        assert energy_sentence(report) in first and first.count('class="ranges"') == 1
        assert re.findall("<h3>([^<]*)", first) == ["Exact counts", "Prices of events", "Cores and time"]
        assert "No check of these integers was given" in first
        assert all(gpu.gpu in first for gpu in report.comparisons)


def test_the_expected_error_is_on_the_screen_and_in_the_page_s_first_view(reports):
    for chip, report in reports.items():
        (error, *_), expected = report.silicon.errors, report.silicon.energy
        text = html.unescape(energy_page(report))
        first = text[text.index('id="headline"') : text.index('id="figures"')]
        for shown in (" ".join(printed_screen(report).split()), first):
            if chip == "loihi1":
                assert f"within a factor {error.factor:.1f} in {error.networks} of {error.networks}" in shown
                assert f"the model's sum times {error.calibration:.2f}" in shown
                assert error.calibration == pytest.approx(expected.value / report.energy.total.mean)
            else:
                assert "no error is claimed; the range is the constants' spread" in shown
        ids = Page(text).ids
        assert "silicon" in ids and "delay" in ids
        for row in report.energy_delay.rows:
            assert readable(row.joule_seconds, "Js") in text
    same = report_calibrated_by(reports["loihi1"], 1.0)
    assert "times" not in error_sentence(same) and error_sentence(same).endswith("left out in turn")


def report_calibrated_by(report, factor):
    error, *others = report.silicon.errors
    errors = [error.model_copy(update={"calibration": factor}), *others]
    return report.model_copy(update={"silicon": report.silicon.model_copy(update={"errors": errors})})


def beside_the_relu_network(report, beside):
    return report.model_copy(update={"equal_accuracy": beside})


@pytest.mark.parametrize(("macs", "less"), [(100, "the ReLU network"), (10**9, "the spiking network")])
def test_side_by_side_says_where_spiking_loses_at_equal_accuracy(reports, macs, less):
    baseline = Baseline8Bit(
        file="m.pt",
        accuracy=0.97,
        accuracy_float=0.97,
        macs=macs,
        macs_with_input=OverSamples.of(np.array([macs])),
        layers=[DenseLayer(inputs=10, outputs=10, weights=macs, biases=10, kernel_steps=0, macs=macs)],
    )
    beside = [
        (
            chip,
            beside_the_relu_network(
                report, equal_accuracy(baseline, 0.965, report.arithmetic_45nm, report.memory_45nm, 4)
            ),
        )
        for chip, report in reports.items()
    ]
    compared = compare_reports(beside)
    rows = dict(compared.rows)
    assert rows["costs less, int8 arithmetic"] == rows["costs less, memory priced"] == [less, less]
    for figure in rows["int8 ReLU by --baseline"]:
        assert readable(macs * 0.3e-12, "J") in figure and figure.endswith("equal accuracy: 97.0%, spiking 96.5%")
    page = comparison_page(compared)
    assert less in page and "with the expected error" in page
    own_page = html.unescape(energy_page(beside[0][1]))
    assert beside[0][1].equal_accuracy.sentence in own_page
    assert beside[0][1].equal_accuracy.memory_sentence in own_page


def test_reports_side_by_side(reports, tmp_path, capfd):
    files = []
    for chip, report in reports.items():
        files.append(tmp_path / f"{chip}.json")
        files[-1].write_text(json.dumps(report.to_dict()))
    page, out = tmp_path / "both.html", tmp_path / "both.json"
    done = run_here(["energy", "--compare", *files, "--html", page, "--json", out], capfd)
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row["figures"] for row in json.loads(out.read_text())["rows"]}
    assert rows["chip"] == ["Loihi 1", "Loihi 2"]
    counted = [reports[chip].counts.total.synaptic_operations.mean for chip in ("loihi1", "loihi2")]
    shown = [float(figure.split()[0].replace(",", "")) for figure in rows["synaptic operations"]]
    assert all(math.isclose(one, other, rel_tol=0.01) for one, other in zip(shown, counted, strict=True))
    text = page.read_text()
    assert all(energy_sentence(report) in text for report in reports.values())
    assert "assumed for some of these chips" in text and "assumed for some of these chips" in done.stdout.replace(
        "\n", " "
    )
    assert not Page(text).fetched and not Page(text).open
    evil = comparison_page(compare_reports([(EVIL, with_evil_names(report)) for report in reports.values()]))
    assert "<script" not in evil and "<img" not in evil
    for arguments, words in [
        ((files[0],), "nothing beside it"),
        ((*files, "--data", "digits:test"), "--data is for a run"),
        ((files[0], tmp_path / "model.pt"), "No such file"),
        ((files[0], out), "no report of dalif-energy"),
    ]:
        done = run_here(["energy", "--compare", *arguments], capfd)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
    done = run_here(["energy", tmp_path], capfd)
    assert done.returncode == 2 and "--data" in done.stderr
