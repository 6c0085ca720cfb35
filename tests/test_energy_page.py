"""The report's page: numbers as in the report, nothing fetched, names escaped, and a real browser's opinion of it."""

import copy
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from converters.export import export_network
from converters.targets.request import ExportRequest
from dalif_deploy.data import load_data
from dalif_deploy.reports.energy_page import energy_page
from dalif_deploy.simulation.energy_session import report_on_samples
from hw_models.encode_input import encode_input
from hw_models.energy.histograms import membrane_histograms
from hw_models.energy.units import readable
from hw_models.simulator import simulate
from tests.test_commands import checkpoint, fails, run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (360, 820, 1400)


@pytest.fixture(scope="module", params=["loihi1", "loihi2"])
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    source = checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2])
    artefact = export_network(source, "lava", folder / "out", request=ExportRequest(chip=request.param))
    found, _ = report_on_samples(artefact, load_data("digits:test").inputs[:6])
    return {**found, "data": "digits:test", "artefact": "runs/<b>x"}


class Page(HTMLParser):
    """Text, ids, and whatever a browser would fetch."""

    def __init__(self, text):
        super().__init__()
        self.text, self.ids, self.fetched, self.scripts = [], set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        self.scripts += tag == "script"
        self.fetched += [v for k, v in attributes if k in ("src", "href", "srcset", "action", "data") and v != "data:,"]

    def handle_data(self, data):
        self.text.append(data)


def test_figures_are_the_report_s_and_nothing_is_fetched(report):
    text = energy_page(report)
    page = Page(text)
    shown = " ".join(" ".join(page.text).split())
    assert {"headline", "energy", "layers", "mapping", "membranes", "comparisons", "constants"} <= page.ids
    assert page.fetched == [] and page.scripts == 1
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", text)
    for layer in report["counts"]["layers"]:
        assert layer["name"] in shown and f"{layer['synaptic_operations']['mean']:,.0f}" in shown
    for term in report["energy"]["terms"]:
        assert readable(term["joules"]["mean"], "J") in shown
    for constant in report["constants"]:
        assert constant["source"] in shown
    if report["chip"] == "loihi2":
        assert "No ratio is given" in shown and 'class="badge assumed">assumed' in text
    else:
        assert "at least" in shown and "SANA-FE" in shown


def test_names_from_foreign_files_are_text(report):
    bad = copy.deepcopy(report)
    name = bad["counts"]["layers"][0]["name"]
    evil = "<script>alert(1)</script>"
    for part in (bad["counts"]["layers"], bad["histograms"]["layers"]):
        for each in part:
            each["name"] = each["name"].replace(name, evil)
    for core in bad["mapping"]["core_list"]:
        core["population"] = core["population"].replace(name, f'"{evil}')
    text = energy_page(bad)
    assert Page(text).scripts == 1 and evil not in text and "&lt;script&gt;alert" in text
    assert "<b>x" not in text


def test_histograms_count_every_membrane_once(report, tmp_path):
    from hw_models.chip_network_file import read_chip_network

    out = export_network(checkpoint(tmp_path / "m.pt"), "lava", tmp_path / "out").folder
    network = read_chip_network(out / "network.nir")
    encoded = encode_input(network, load_data("digits:test").inputs[:20])
    found = membrane_histograms(network, encoded)
    assert found["samples"] == 16
    (layer,) = found["layers"]
    population = network.populations[layer["name"]]
    assert sum(layer["counts"]) == 16 * network.steps * population.size
    membranes = simulate(network, encoded.part(slice(16)), record=("membrane",)).membrane[layer["name"]]
    above = (membranes > 0.5 * 64 * np.asarray(population.vth)).sum()
    assert above == sum(n for n, low in zip(layer["counts"], layer["edges"], strict=False) if low >= 0.5)


def test_command_writes_it_whole_and_overwrites_nothing(tmp_path):
    out = export_network(checkpoint(tmp_path / "m.pt"), "lava", tmp_path / "out").folder
    page = tmp_path / "page.html"
    options = (out, "--data", "digits:test", "--limit", 3, "--html", page)
    assert run("energy", *options).returncode == 0
    assert page.read_text().rstrip().endswith("</html>")
    fails(run("energy", *options), "already exists", "page.html")


def browse(page, *options):
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        *options,
        f"file://{page}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed (Debian: apt install chromium)")
@pytest.mark.parametrize("width", WIDTHS)
def test_browser_has_no_complaint_and_nothing_overflows(report, width, tmp_path):
    page = tmp_path / "page.html"
    # the page tells of itself: its width, the elements that its script made, and a press of a button and of a head
    probe = """<script>
      document.querySelectorAll(".switch button")[1].click();
      document.querySelector("#layers th:nth-child(2) button").click();
      document.title = JSON.stringify([document.documentElement.scrollWidth, innerWidth,
        [...document.querySelectorAll("[data-group=energy]")].map((panel) => panel.hidden),
        [...document.querySelectorAll("#layers tbody tr")].map((row) => Number(row.cells[1].dataset.value)),
        performance.getEntriesByType("resource").length]);
    </script>"""
    page.write_text(energy_page(report).replace("</body>", probe + "</body>"), encoding="utf-8")
    seen = browse(page, f"--window-size={width},900", "--dump-dom")
    assert seen.returncode == 0, seen.stderr
    assert "CONSOLE" not in seen.stderr, seen.stderr
    title = re.search(r"<title>(.*?)</title>", seen.stdout).group(1)
    scroll, inner, hidden, neurons, requests = eval(title, {"true": True, "false": False})
    assert scroll <= max(inner, width)
    assert hidden[:2] == [True, False] and all(hidden[2:])
    assert neurons == sorted(neurons, reverse=True)
    assert requests == 0
