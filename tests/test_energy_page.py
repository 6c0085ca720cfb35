"""The report's page without a browser: its figures are the report's, nothing is fetched, names are text."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.energy.report import EnergyReport
from dalif_deploy.hw_models.energy.report.histograms import membrane_histograms
from dalif_deploy.hw_models.energy.report.mapping import mapping_figures
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.mapping import DoesNotFit
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.reports.core_map import core_maps
from dalif_deploy.reports.energy_page import FOLDER, energy_page
from dalif_deploy.reports.layer_energy import BETWEEN, energy_by_layer
from dalif_deploy.reports.log_axis import on_log_axis
from dalif_deploy.simulation.energy_session import report_on_samples
from tests.test_commands import checkpoint, fails, run

EVIL = """"><img src=x onerror="alert(1)"><script>alert(2)</script>"""
VOID = {"meta", "link", "br", "img", "input", "hr"}


def make_report(folder, chip):
    source = checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2])
    artefact = export_network(source, "lava", folder / "out", request=ExportRequest(chip=chip))
    found, _ = report_on_samples(artefact, load_data("digits:test").inputs[:6], data="digits:test", name="runs/<b>x")
    return found


@pytest.fixture(scope="module", params=["loihi1", "loihi2"])
def report(request, tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("page"), request.param)


def with_evil_names(report):
    """The report of a network whose layers, data and folder are named to break out of text and attributes."""
    bad = report.to_dict()
    names = {layer.name for layer in report.counts.layers}

    def rename(part):
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(value, str) and value in names:
                part[key] = value + EVIL
            elif isinstance(value, dict | list):
                rename(value)

    rename(bad)
    for layer in bad["counts"]["host_layers"]:
        layer["name"] += EVIL
    return EnergyReport.model_validate({**bad, "data": EVIL, "artefact": EVIL, "chip": "loihi1" + EVIL})


class Page(HTMLParser):
    """Text, ids, what a browser would fetch, and whether every element is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.text, self.ids, self.fetched, self.tags, self.open, self.handlers = [], [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attributes:
            if key == "id":
                self.ids.append(value)
            if key in ("src", "href", "srcset", "action", "data", "xlink:href") and not re.match("#|data:,$", value):
                self.fetched.append(value)
            if key.startswith("on"):
                self.handlers.append(key)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def test_figures_are_the_report_s(report):
    page = Page(energy_page(report))
    shown = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert {"headline", "energy", "samples", "layers", "mapping", "membranes", "comparisons", "constants"} <= {
        *page.ids
    }
    for layer in report.counts.layers:
        assert layer.name in shown
        for figure in (layer.synaptic_operations, layer.spikes):
            assert f"{figure.worst:,.0f}" in shown
    for term in report.energy.terms:
        assert readable(term.joules.mean, "J") in shown
    joules = [row.joules for row in report.baseline.modelled] + [row.total.mean for row in report.arithmetic_45nm.rows]
    for energy in joules:
        assert readable(energy, "J") in shown
    assert report.arithmetic_45nm.against_int8() in shown
    for row in report.break_even.rows:
        assert row.verdict in shown and f"{row.rate.high:.3g}" in shown
    for part in (*report.memory.layers, report.memory.total):
        for figure in (part.synapse_bytes_read.worst, part.state_bytes_written.worst):
            assert f"{figure:,.0f}" in shown
    assert report.baseline_cpu.not_measured_because or report.baseline_cpu.measured
    for constant in report.constants:
        assert constant.source in shown
    for text in (*report.energy.not_included, *report.mapping.not_modelled, "digits:test", "<b>x"):
        assert text in shown
    samples = report.histograms.energy
    for figure in (samples.best, samples.worst, report.energy.static.high):
        assert readable(figure, "J") in shown
    sortable = {float(value["data-value"]) for _, value in page.tags if "data-value" in value}
    assert {layer.synaptic_operations.mean for layer in report.counts.layers} <= sortable


def test_a_ratio_only_where_the_chip_s_figures_are_not_assumed(report):
    text = energy_page(report)
    shown = " ".join(" ".join(Page(text).text).split())
    if report.chip == "loihi2":
        assert "No ratio to other hardware is given: no energy per event is published" in shown
        assert "Energy ratio" not in shown and '<span class="badge assumed">assumed</span>' in text
    else:
        (row, *_) = report.comparisons
        static = row.with_static
        assert f"{static.low:.3g} to {static.high:.3g}" in shown
        assert "at least" in shown and "the chip's side is a lower bound" in shown


def test_nothing_is_fetched_and_one_script_may_run(report):
    text = energy_page(report)
    page = Page(text)
    assert page.fetched == [] and page.handlers == [] and page.count("script") == 1
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", text)
    (policy,) = [values["content"] for _, values in page.tags if "Content-Security-Policy" in values.values()]
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_tables_can_be_read_aloud(report):
    page = Page(energy_page(report))
    assert page.count("table") == page.count("caption") >= 6
    assert all("scope" in values for tag, values in page.tags if tag == "th")
    assert all("aria-label" in values for tag, values in page.tags if tag == "svg" or values.get("role") == "region")


def test_names_from_foreign_files_are_text(report):
    page = Page(energy_page(with_evil_names(report)))
    assert page.count("script") == 1 and page.count("img") == 0
    assert page.handlers == [] and page.fetched == [] and page.open == []
    assert EVIL in " ".join(page.text)


def test_other_mappings_have_a_page(report):
    refused = mapping_figures(None, DoesNotFit("input_axons_per_core", 5000, 4096, layer="<i>lif"))
    shown = " ".join(Page(energy_page(report.model_copy(update={"mapping": refused}))).text)
    assert "layer <i>lif: does not fit: one neuron alone needs 5,000 input axons" in " ".join(shown.split())
    unmapped = {"mapping": mapping_figures(None, None), "latency": None, "energy_sanafe": None}
    page = Page(energy_page(report.model_copy(update=unmapped)))
    assert page.open == [] and "mapping" not in page.ids


def test_layers_and_what_lies_between_sum_to_each_term(report):
    found = energy_by_layer(report)
    terms = {t.name: t.joules.mean for t in report.energy.terms if t.joules.mean}
    assert found.terms == list(terms)
    for index, mean in enumerate(terms.values()):
        assert sum(row.joules[index] for row in found.rows) == pytest.approx(mean, rel=1e-12)
    layers = [layer.name for layer in report.counts.layers]
    assert [row.name for row in found.rows if row.name != BETWEEN] == layers
    operations = report.counts.layers[1].synaptic_operations.mean
    assert found.rows[1].joules[0] == pytest.approx(operations * 23.6e-12)


def test_every_core_is_drawn_once_in_its_layer(report):
    mapping = report.mapping
    numbers = {layer.name: index for index, layer in enumerate(report.counts.layers)}
    (chip,) = core_maps(mapping, numbers)
    assert len(chip["cores"]) == len({(core["x"], core["y"]) for core in chip["cores"]}) == 128
    drawn = [core for core in chip["cores"] if core["layer"] is not None]
    assert len(drawn) == chip["used"] == mapping.cores
    for population in mapping.populations:
        assert sum(core["layer"] == numbers[population.name] for core in drawn) == population.cores
    assert max(core["share"] for core in drawn) == max(getattr(row, "largest_share", 0) for row in mapping.limits)
    assert core_maps(mapping_figures(None, None), numbers) == []


def test_ranges_lie_where_their_logarithms_do():
    axis = on_log_axis(
        [{"low": 1e-6, "high": 1e-4}, {"low": 1e-5, "high": None}, {"low": 0.0, "high": 1.0}], lambda x: f"{x:.2e}"
    )
    assert [(row["left"], row["width"]) for row in axis["rows"]] == [(0, 100), (50, 50)]
    assert [(tick["at"], tick["text"]) for tick in axis["ticks"]] == [(0, "1e-06"), (50, "1e-05"), (100, "1e-04")]
    (one,) = on_log_axis([{"low": 10.0, "high": 10.0}], "{:g}".format)["rows"]
    assert (one["left"], one["width"]) == (0, 0)
    assert on_log_axis([{"low": 0.0, "high": None}], str) is None


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in
              (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme):
    """WCAG 2 AA: 4.5 for text, 3 for bars."""
    blocks = re.findall(r":root \{(.*?)\}", (FOLDER / "style.css").read_text(), re.S)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme == "dark"]))

    def contrast(one, two):
        low, high = sorted((luminance(colours[one]), luminance(colours[two])))
        return (high + 0.05) / (low + 0.05)

    for back in ("panel", "ground"):
        for text in ("ink", "soft", "measured", "modelled", "assumed"):
            assert contrast(text, back) >= 4.5, (text, back)
    for number in range(8):
        assert contrast(f"c{number}", "panel") >= 3, number


def test_histograms_count_every_membrane_and_threshold_once(tmp_path):
    from dalif_deploy.hw_models.chip_network.file import read_chip_network

    out = export_network(checkpoint(tmp_path / "m.pt"), "lava", tmp_path / "out").folder
    network = read_chip_network(out / "network.nir")
    encoded = encode_input(network, load_data("digits:test").inputs[:20])
    (name,) = [name for name, population in network.populations.items() if population.fires]
    population = network.populations[name]
    population.vth = np.broadcast_to(population.vth, population.shape).copy()
    population.vth[0] *= 2
    (layer,) = membrane_histograms(network, encoded.part(slice(16)))
    assert layer.name == name and sum(layer.counts) == 16 * network.steps * population.size
    membranes = simulate(network, encoded.part(slice(16)), record=("membrane",)).membrane[name]
    above = (membranes > 0.5 * 64 * population.vth).sum()
    assert above == sum(n for n, low in zip(layer.counts, layer.edges, strict=False) if low >= 0.5)
    thresholds = layer.thresholds
    small = 64 * int(population.vth[1].max())
    assert (thresholds.lowest, thresholds.highest, thresholds.distinct) == (small, 2 * small, 2)
    first = population.vth[0].size
    assert [thresholds.counts[0], thresholds.counts[-1]] == [population.size - first, first]


def test_energy_of_samples_spreads_as_the_total_does(report):
    samples, total = report.histograms.energy, report.energy.total
    assert samples.mean == pytest.approx(total.mean) and samples.worst == pytest.approx(total.worst)
    assert samples.best < samples.mean < samples.worst and sum(samples.counts) == report.samples
    assert 0 <= samples.best_sample != samples.worst_sample < report.samples


def test_command_writes_it_whole_and_overwrites_nothing(tmp_path):
    out = export_network(checkpoint(tmp_path / "m.pt"), "lava", tmp_path / "out").folder
    page = tmp_path / "page.html"
    options = (out, "--data", "digits:test", "--limit", 3, "--html", page)
    assert run("energy", *options).returncode == 0
    assert page.read_text().rstrip().endswith("</html>")
    fails(run("energy", *options), "already exists", "page.html")
    fails(run("energy", *options, "--json", page, "--force"), "two options write this file", "page.html")
    assert [path.name for path in tmp_path.iterdir() if ".html" in path.name] == ["page.html"]
