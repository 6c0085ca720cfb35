"""The same input and version: the same bytes, whatever the process, its hashes, threads, folder, zone and time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from tests.exported_by_all import REPORT

ROOT = str(Path(__file__).resolve().parents[1])
NEEDS = {"nir": None, "lava": None, "c": None, "netx": None, "onnx": "onnx", "norse": "norse", "sanafe": "sanafe"}


def installed(package):
    from importlib.util import find_spec

    return package is None or find_spec(package) is not None


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """Two folders of exports and reports, made by processes that have as little as possible in common."""
    base = tmp_path_factory.mktemp("determinism")
    spec = {"input_shape": (1, 8, 8), "classes": 10, "channels": [6, 8], "strides": [1, 2]}
    images = (np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8)) / 16).astype(np.float32)
    torch.manual_seed(0)
    network = build_network(NetworkSpec(**spec))
    network(torch.rand(8, 1, 8, 8))  # moves the batch norm's averages
    targets = [target for target, package in NEEDS.items() if installed(package)]
    processes = []
    for number, place in enumerate(("a", "elsewhere/with a longer name")):
        folder = base / place
        folder.mkdir(parents=True)
        if number:
            time.sleep(1.1)  # HDF5 and zip files, where they hold a time, hold seconds
        info = {"dataset": "digits", "input_step": 1 / 16}
        save_checkpoint(folder / "model.pt", network, info)
        np.savez(folder / "data.npz", input=images)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")])),
            "PYTHONHASHSEED": str(number + 1),
            "OMP_NUM_THREADS": str(number + 1),
            "TZ": ("UTC", "Asia/Tokyo")[number],
        }
        words = ("model.pt", "data.npz", "out", *(targets if number else targets[::-1]))
        arguments = [sys.executable, "-m", "tests.exported_by_all", *words]
        processes.append(
            subprocess.Popen(
                arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        )
    for process in processes:
        _, complaint = process.communicate(timeout=250)
        assert process.returncode == 0, complaint
    return [base / place for place in ("a", "elsewhere/with a longer name")]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", NEEDS)
def test_a_target_s_files_are_the_same_to_the_byte(twice, target):
    if not installed(NEEDS[target]):
        pytest.skip(f"{NEEDS[target]} is not installed")
    one, two = (contents(folder / "out" / target) for folder in twice)
    assert "model.nir" in one and one.keys() == two.keys()
    said = [json.loads(files.pop("export.json")) for files in (one, two)]
    assert [name for name in one if one[name] != two[name]] == []
    provenance = [each.pop("provenance") for each in said]
    assert json.dumps(said[0]) == json.dumps(said[1])  # the order of keys, too
    for each in provenance:
        assert each["command"].startswith(f"dalif-export model.pt --target {target} -o out/{target}")
        assert each["versions"]["python"] == sys.version.split()[0]


@pytest.mark.parametrize("name", REPORT)
def test_reports_and_records_are_the_same_to_the_byte(twice, name):
    one, two = ((folder / "out" / name).read_bytes() for folder in twice)
    assert len(one) > 1000 and one == two


def test_checkpoints_are_the_same_to_the_byte(twice):
    one, two = ((folder / "model.pt").read_bytes() for folder in twice)
    assert one == two
