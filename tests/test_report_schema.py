"""The published schema of the energy report is the code's, and real reports keep to it."""

import copy
import json
from pathlib import Path

import pytest

from converters.export import export_network
from converters.targets.request import ExportRequest
from dalif_deploy.api import energy_report
from hw_models.energy.report_schema import report_schema
from tests.test_commands import checkpoint

jsonschema = pytest.importorskip("jsonschema")
PUBLISHED = Path(__file__).parents[1] / "docs" / "energy-report.schema.json"


@pytest.fixture(scope="module", params=["loihi1", "loihi2"])
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    source = checkpoint(folder / "model.pt", channels=[4, 6], strides=[1, 2])
    artefact = export_network(source, "lava", folder / "out", request=ExportRequest(chip=request.param))
    return json.loads(json.dumps(energy_report(artefact, "digits:test", limit=4), allow_nan=False))


def test_published_schema_is_current():
    written = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert written == report_schema(), f"write json.dumps(report_schema(), indent=2) to {PUBLISHED.name}"


def test_real_reports_keep_to_it_and_broken_ones_do_not(report):
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.validate(report, schema)

    def without_a_figure(r):
        del r["energy"]["total"]["low"]

    def with_a_word_of_its_own(r):
        r["energy"]["status"] = "certain"

    def without_a_source(r):
        del r["constants"][0]["source"]

    def text_for_a_number(r):
        r["counts"]["layers"][0]["spikes"]["mean"] = "many"

    for change in (without_a_figure, with_a_word_of_its_own, without_a_source, text_for_a_number):
        broken = copy.deepcopy(report)
        change(broken)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)
