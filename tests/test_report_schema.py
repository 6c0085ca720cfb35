"""The published schema of the energy report is the code's, and real reports keep to it."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dalif_deploy.api import energy_report
from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.hw_models.energy.opponents.measurement import measure
from dalif_deploy.hw_models.energy.report import EnergyReport
from dalif_deploy.hw_models.energy.report import energy_report as build_report
from dalif_deploy.hw_models.energy.report.mapping import mapping_figures
from dalif_deploy.hw_models.mapping import DoesNotFit
from tests.test_commands import checkpoint

jsonschema = pytest.importorskip("jsonschema")
PUBLISHED = Path(__file__).parents[1] / "docs" / "energy-report.schema.json"


@pytest.fixture(scope="module", params=["loihi1", "loihi2"])
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    source = checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2])
    artefact = export_network(source, "lava", folder / "out", request=ExportRequest(chip=request.param))
    return json.loads(json.dumps(energy_report(artefact, "digits:test", limit=4).to_dict(), allow_nan=False))


@pytest.fixture(scope="module")
def schema():
    found = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_published_schema_is_what_the_command_prints(schema):
    code = "from dalif_deploy.cli.energy import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "--schema"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == schema, f"write what dalif-energy --schema prints to docs/{PUBLISHED.name}"


def test_real_reports_keep_to_it(report, schema):
    jsonschema.validate(report, schema)
    EnergyReport.model_validate(report)


def test_so_do_measured_gpus_refusals_and_sanafe(report, schema):
    other = copy.deepcopy(report)
    clock = iter(range(100))

    class Counter:
        name = "a GPU"

        def joules(self):
            return 7.0

    measured = measure(lambda: None, Counter(), 2, idle_seconds=0, clock=lambda: float(next(clock)))
    words = {"status": "measured", "gpu": "a GPU", "precision": "float32", "batch": 1}
    other["baseline"]["measured"] = [{**words, **measured.model_dump()}]
    for mapping in (
        mapping_figures(None, DoesNotFit("chips", 900, 768)),
        mapping_figures(None, DoesNotFit("input_axons_per_core", 5000, 4096, layer="lif")),
        mapping_figures(None, None),
    ):
        jsonschema.validate({**other, "mapping": mapping.model_dump()}, schema)


def test_the_comparison_with_sanafe_keeps_to_it(schema, tmp_path):
    pytest.importorskip("sanafe")
    from dalif_deploy.data import load_data
    from dalif_deploy.simulation.energy_session import compared_with_sanafe

    source = checkpoint(tmp_path / "model.pt", channels=[4], strides=[2])
    export_network(source, "lava", tmp_path / "out", request=ExportRequest(chip="loihi1"))
    artefact = load_artefact(tmp_path / "out")
    compared = compared_with_sanafe(artefact, load_data("digits:test").inputs[:2])
    found = energy_report(artefact, "digits:test", limit=2).model_copy(update={"sanafe": compared})
    jsonschema.validate(json.loads(json.dumps(found.to_dict())), schema)


def without(*path):
    def change(report):
        for key in path[:-1]:
            report = report[key]
        del report[path[-1]]

    return change


def put(value, *path):
    def change(report):
        for key in path[:-1]:
            report = report[key]
        report[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("energy", "total", "low"),
        without("energy", "static", "high"),
        without("constants", 0, "source"),
        without("mapping", "core_list", 0, "messages_in"),
        without("mapping", "traffic", "hops_east_west"),
        without("histograms", "energy"),
        without("baseline", "modelled", 0, "joules"),
        put("certain", "energy", "status"),
        put("measuredly", "energy", "status"),
        put("probable", "mapping", "status"),
        put("guessed", "constants", 0, "evidence"),
        put("per-chip", "constants", 0, "scope"),
        put("many", "counts", "layers", 0, "spikes", "mean"),
        put(-1, "energy", "total", "mean"),
        put(1.2, "mapping", "limits", 0, "largest_share"),
        put(1, "energy", "surprise"),
        put(1, "surprise"),
    ],
)
def test_broken_ones_do_not(report, schema, change):
    broken = copy.deepcopy(report)
    change(broken)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_python_gets_attributes_a_short_repr_and_a_notebook_view():
    from tests.test_energy_models import run

    network, encoded, counts = run()
    made = build_report(network, encoded, counts, measured=[], data="made", artefact="<b>net")
    assert made.energy.total.mean == made.to_dict()["energy"]["total"]["mean"] > 0
    assert "sanafe" not in made.to_dict() and type(made.to_dict()["counts"]["total"]["spikes"]["best"]) is int
    assert "dynamic energy" in repr(made) and len(repr(made)) < 400
    assert "&lt;b&gt;net" in made._repr_html_() and "dynamic energy" in made._repr_html_()
    with pytest.raises(ValueError, match="frozen"):
        made.chip = "another"
