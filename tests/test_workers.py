"""Tasks in worker processes: results, faults, deaths, and processes that end."""

import os
import time

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
