"""The notebook in the docs runs from top to bottom."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "walkthrough.ipynb"


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_notebook_runs_and_its_engines_agree():
    pytest.importorskip("snntorch")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    done = nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    printed = "\n".join(
        o["text"] for cell in done.cells for o in cell.get("outputs", ()) if o["output_type"] == "stream"
    )
    rows = {line.split()[0]: line for line in printed.splitlines() if "values differ from" in line}
    assert {"lava", "onnx"} <= rows.keys()
    for engine in ("lava", "onnx"):
        assert ", 0 of " in rows[engine]
    assert "synaptic operations," in printed
