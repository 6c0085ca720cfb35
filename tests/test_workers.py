"""Tasks in worker processes: results, faults, deaths, and processes that end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dalif_deploy.sharding.processes import start_method
from dalif_deploy.sharding.workers import WorkerFailure, run_in_workers
from tests.worker_tasks import square


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_each_task_has_its_result_whatever_happens_to_others():
    tasks = [2, -5, 13, 7, 13, 4]
    found = dict(run_in_workers(square, tasks, 2))
    assert sorted(found) == list(range(len(tasks)))
    assert [found[i][0] for i in (0, 3, 5)] == [4, 49, 16]
    assert found[1].what == "ValueError: -5 is negative" and "in square" in found[1].trace
    for dead in (2, 4):
        assert isinstance(found[dead], WorkerFailure) and "SIGKILL" in found[dead].what
    pids = {found[i][1] for i in (0, 3, 5)}
    assert os.getpid() not in pids and all(map(gone, pids))


def test_a_process_does_many_tasks_and_no_more_start_than_asked():
    found = dict(run_in_workers(square, list(range(6)), 2))
    assert len({pid for _, pid in found.values()}) <= 2


def test_leaving_early_ends_the_processes():
    began = time.monotonic()
    running = run_in_workers(square, ["sleep", 3], 2)
    index, (result, pid) = next(running)
    assert (index, result) == (1, 9) and not gone(pid)
    running.close()
    assert gone(pid) and time.monotonic() - began < 50


PROGRAM = """
import sys
from dalif_deploy.sharding.workers import run_in_workers
from tests.worker_tasks import has_torch
if __name__ == "__main__":
    print("torch" in sys.modules, *(found for _, found in run_in_workers(has_torch, [1, 2], 2)))
"""


@pytest.mark.skipif(start_method() != "forkserver", reason="each process imports by itself")
def test_processes_begin_with_torch_and_not_with_a_file_of_that_name_in_the_working_folder(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "torch.py").write_text("open('taken', 'w')")
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(tmp_path / "program.py")]
    said = subprocess.check_output(command, cwd=tmp_path / "work", env=environment, text=True)
    assert said.split() == ["False", "True", "True"] and not (tmp_path / "work" / "taken").exists()
