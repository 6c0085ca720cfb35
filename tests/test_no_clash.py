"""A script beside folders of a person's own called `converters` and `hw_models`: the package works all the same."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys
import nir, numpy as np
import dalif_deploy as dd
from dalif_deploy.hw_models.errors import UserError

one = np.ones(3)
graph = nir.NIRGraph(
    nodes={
        "input": nir.Input({"input": np.array([2])}),
        "weight": nir.Linear(weight=np.array([[1.0, 0.5], [0.3, -0.2], [0.9, 0.8]])),
        "lif": nir.LIF(tau=one * 2e-4, r=one * 2, v_leak=one * 0, v_threshold=one, v_reset=one * 0),
        "output": nir.Output({"output": np.array([3])}),
    },
    edges=[("input", "weight"), ("weight", "lif"), ("lif", "output")],
    metadata={"dt": 1e-4},
)
spikes = (np.arange(24).reshape(2, 6, 2) % 3 > 0).astype(np.float32)
net = dd.export(graph, out="exported", chip="loihi2", steps=6, input_mode="spikes")
for engine in sys.argv[1:]:
    assert dd.simulate(net, spikes, engine=engine)
    print(engine, "ran")
assert not {"converters", "hw_models"} & sys.modules.keys()
print("from", dd.__file__)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What a build needs, links as links; a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "dalif_deploy", "converters", "hw_models"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def build(source, kind, out):
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=source, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The wheel's content, in a folder that holds nothing else."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build(source, "wheel", tmp_path_factory.mktemp("built"))) as packed:
        packed.extractall(folder)
    return folder


@pytest.mark.parametrize("installed", ["working tree", "wheel"])
def test_folders_of_these_names_beside_a_script(installed, tmp_path, request):
    root = ROOT if installed == "working tree" else request.getfixturevalue("wheel")
    for name in ("converters", "hw_models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('this is not the package that was meant')\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    engines = ["fast", "nir", *(["lava"] if find_spec("lava") else [])]  # Lava runs in a process of its own
    done = subprocess.run(
        [sys.executable, "script.py", *engines],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert Path(lines["from"]).is_relative_to(root)
    assert all(lines[engine] == "ran" for engine in engines)


def test_the_source_distribution_holds_files_and_no_links(source, tmp_path):
    pytest.importorskip("setuptools")
    with tarfile.open(build(source, "sdist", tmp_path)) as packed:
        members = {member.name.split("/", 1)[-1]: member for member in packed.getmembers()}
    assert not [name for name, member in members.items() if member.issym() or member.islnk()]
    for name in ("converters/export_network.py", "hw_models/errors.py"):
        assert members[f"dalif_deploy/{name}"].isfile() and members[f"dalif_deploy/{name}"].size > 0
    assert [name for name in members if name.startswith("dalif_deploy/hw_models/") and name.endswith(".toml")]
