"""Work shared out to processes of Dask, on this machine: the figures of one process, also where processes die."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.exploration.explore import Exploration, explore
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from dalif_deploy.sharding.cluster import open_cluster
from dalif_deploy.sharding.workers import WorkerFailure
from dalif_deploy.simulation.energy_session import report_on_samples
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples
from tests.worker_tasks import square

distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
psutil = pytest.importorskip("psutil", reason="comes with the extra `cluster`")
ROOT = Path(__file__).parents[1]
POINTS_24 = {"weight-bits": [3, 4, 5, 6, 7, 8], "steps": [1, 2], "chip": ["loihi1", "loihi2"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint with random weights, its export, and labelled images."""
    made = tmp_path_factory.mktemp("cluster")
    torch.manual_seed(4)
    network = build_network(NetworkSpec(input_shape=(1, 6, 6), classes=3, channels=[4, 5], strides=[1, 2], steps=4))
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.fill_(4.0)  # or nothing would spike
    save_checkpoint(made / "model.pt", network, {"input_step": 1 / 16})
    export_network(made / "model.pt", "lava", made / "exported", request=ExportRequest(chip="loihi2"))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 17, (12, 1, 6, 6)).astype(np.float32) / 16
    np.savez(made / "data.npz", input=images, label=rng.integers(0, 3, 12))
    return made


@pytest.fixture(scope="module")
def two():
    with open_cluster("local:2") as cluster:
        yield cluster


def processes_here():
    """Dask's processes: forked from one that this one started."""
    return [child.pid for child in psutil.Process().children(recursive=True) if child.ppid() != os.getpid()]


def test_each_task_has_its_result_whatever_happens_to_others(two):
    found = dict(two.run(square, [2, -5, 7, 13, 4]))
    assert sorted(found) == [0, 1, 2, 3, 4] and [found[i][0] for i in (0, 2, 4)] == [4, 49, 16]
    assert found[1].what == "ValueError: -5 is negative" and "in square" in found[1].trace
    assert isinstance(found[3], WorkerFailure) and found[3].what.startswith("4 processes died of it")
    assert os.getpid() not in {found[i][1] for i in (0, 2, 4)}


def test_tasks_are_taken_as_processes_come_free(two):
    taken = []
    running = two.run(square, (taken.append(n) or n for n in range(100)))
    for _ in range(3):
        next(running)
    running.close()
    assert 3 < len(taken) < 12


def test_a_stranger_on_this_machine_is_not_let_in(two):
    """Who may talk to a scheduler runs code as its owner."""
    host, port = urlsplit(two.address).netloc.split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), timeout=20) as plain, pytest.raises(ssl.SSLError, match="CERT"):
        context.wrap_socket(plain).recv(1)
    listening = {c.laddr for c in psutil.Process().net_connections() if c.status == "LISTEN"}
    assert listening and {address.ip for address in listening} == {"127.0.0.1"}


@pytest.mark.slow
def test_a_sweep_survives_two_deaths(folder, monkeypatch):
    """24 points; twice, in the middle, a process with work in hand is killed."""
    asked = Exploration(folder / "model.pt", str(folder / "data.npz"), POINTS_24, limit=10, cluster="local:2")
    killed = []

    def kill(done, total):
        if done in (5, 12):
            killed.append(processes_here()[0])
            os.kill(killed[-1], signal.SIGKILL)

    found = explore(asked, progress=kill)
    with monkeypatch.context() as patch:
        serial = lambda work, tasks, workers: enumerate(map(work, tasks))  # noqa: E731
        patch.setattr("dalif_deploy.exploration.explore.run_in_workers", serial)
        alone = explore(Exploration(folder / "model.pt", str(folder / "data.npz"), POINTS_24, limit=10, workers=1))
    assert len(set(killed)) == 2 and not any(map(psutil.pid_exists, killed))
    assert len(found["points"]) == 24 and json.dumps(found) == json.dumps(alone)
    assert sum(point["status"] == "done" for point in found["points"]) == 24


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_lava_and_counts_on_an_address_are_those_of_one_process(folder, tmp_path):
    pytest.importorskip("lava")
    artefact, environment = load_artefact(folder / "exported"), {**os.environ, "PYTHONPATH": str(ROOT)}
    with np.load(folder / "data.npz") as data:
        inputs, labels = data["input"], data["label"]
    meet = tmp_path / "scheduler.json"
    common = [sys.executable, "-W", "ignore", "-m"]
    scheduler = [*common, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [*common, "distributed.cli.dask_worker", "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    started = []
    try:
        for words in (scheduler, [*worker, "--local-directory", str(tmp_path)]):
            words = [*words, "--scheduler-file", str(meet)]
            started.append(subprocess.Popen(words, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + 60
        while not meet.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(meet.read_text())["address"]

        def checked(engine, check, cluster):
            request = SimulationRequest(engine=engine, check=check, stress=3, cluster=cluster)
            found = simulate_samples(artefact, inputs, labels, request).to_dict()
            return {key: value for key, value in found.items() if key != "seconds"}

        assert checked("lava", "counterpart", address) == checked("lava", "counterpart", None)
        counted = [report_on_samples(artefact, inputs, cluster=place)[0].to_dict() for place in (address, None)]
        assert counted[0] == counted[1] and counted[0]["counts"]["total"]["spikes"]["best"] > 0
        # a folder of that name that holds another export is told, not taken
        artefact.export["files"]["model.nir"] = "0" * 64
        with pytest.raises(UserError, match="is another export on"):
            report_on_samples(artefact, inputs, cluster=address)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("local:0", "no number of processes"),
        ("local:two", "no number of processes"),
        ("nonsense://here", "no scheduler answers"),
        ("tcp://127.0.0.1:1", "no scheduler answers"),
    ],
)
def test_a_place_that_is_none_is_one_line(place, said, monkeypatch):
    monkeypatch.setattr("dalif_deploy.sharding.cluster.PATIENCE", "1s")
    with pytest.raises(UserError, match=said), open_cluster(place):
        pass


def test_the_fast_engine_stays(folder):
    with pytest.raises(UserError, match="is quick and runs on this machine"):
        simulate_samples(
            load_artefact(folder / "exported"), np.zeros((1, 1, 6, 6), np.float32), None, SimulationRequest(cluster="x")
        )
