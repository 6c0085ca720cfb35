"""A sweep that was interrupted goes on where it was: the same figures, and no point is done twice."""

import json

import numpy as np
import pytest
import torch

from dalif_deploy.exploration.explore import Exploration, explore
from dalif_deploy.exploration.journal import journal_file, remove_journal
from dalif_deploy.exploration.point import PointWork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from dalif_deploy.sharding.workers import WorkerFailure
from tests.commands_here import run_here

VALUES = {"weight-bits": [3, 5], "steps": [1, 2], "chip": ["loihi2"]}


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """What asks for a sweep, and the settings of each point that was worked on; workers are this process."""
    torch.manual_seed(4)
    network = build_network(NetworkSpec(input_shape=(1, 6, 6), classes=3, channels=[4], strides=[2], steps=2))
    save_checkpoint(tmp_path / "model.pt", network, {"input_step": 1 / 16})
    images = np.random.default_rng(0).integers(0, 17, (6, 1, 6, 6)).astype(np.float32) / 16
    np.savez(tmp_path / "data.npz", input=images)
    worked = []

    def here(work, tasks, workers):
        for index, task in enumerate(tasks):
            worked.append(task)
            yield index, work(task)

    monkeypatch.setattr("dalif_deploy.exploration.explore.run_in_workers", here)

    def asked(values=VALUES, **more):
        options = {"result": tmp_path / "sweep.json", **more}
        return Exploration(tmp_path / "model.pt", str(tmp_path / "data.npz"), values, **options)

    return asked, worked


def interrupted(asked, after):
    came = []

    def stop(point):
        came.append(point)
        if len(came) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(asked, came=stop)
    return came


def bytes_of(found):
    return json.dumps(found, allow_nan=False)


def test_what_was_done_is_kept_and_the_rest_is_done(sweep):
    asked, worked = sweep
    whole = explore(asked(result=None))
    worked.clear()
    done = interrupted(asked(), after=2)
    kept = journal_file(asked().result)
    assert len(kept.read_text().splitlines()) == 3
    with open(kept, "ab") as file:  # killed in the middle of a line
        file.write(b'{"settings": {"weight-bits": 5, "ste')
    seen = []
    found = explore(asked(resume=True), progress=lambda done, total: seen.append((done, total)))
    assert bytes_of(found) == bytes_of(whole)
    assert seen == [(2, 4), (3, 4), (4, 4)] and len(worked) == 4
    assert [point["settings"] for point in done] == worked[:2]
    # the journal stays until the result is written; once more, and nothing is left to do
    assert bytes_of(explore(asked(resume=True))) == bytes_of(whole) and len(worked) == 4
    remove_journal(asked().result)
    assert not kept.exists()


def test_a_point_that_failed_is_tried_again(sweep, monkeypatch):
    asked, worked = sweep
    whole = explore(asked(result=None))

    def broken(work, tasks, workers):
        return ((n, WorkerFailure("it died") if n == 1 else work(t)) for n, t in enumerate(tasks))

    with monkeypatch.context() as patch:
        patch.setattr("dalif_deploy.exploration.explore.run_in_workers", broken)
        assert [point["status"] for point in explore(asked())["points"]] == ["done", "failed", "done", "done"]
    worked.clear()
    assert bytes_of(explore(asked(resume=True))) == bytes_of(whole) and len(worked) == 1


def test_more_values_may_be_asked_for(sweep):
    asked, worked = sweep
    interrupted(asked(), after=4)
    worked.clear()
    more = {**VALUES, "weight-bits": [3, 4, 5]}
    assert bytes_of(explore(asked(more, resume=True))) == bytes_of(explore(asked(more, result=None)))
    assert worked[:2] == [{**point, "weight-bits": 4} for point in worked[:2]]


def test_another_sweep_is_not_taken(sweep, tmp_path):
    asked, _ = sweep
    interrupted(asked(), after=1)
    with pytest.raises(UserError, match=r"half-done sweep; pass --resume to go on, or --force"):
        explore(asked())
    with pytest.raises(UserError, match="another network, other data, options or version"):
        explore(asked(resume=True, limit=3))
    with np.load(tmp_path / "data.npz") as data:
        np.savez(tmp_path / "data.npz", input=data["input"][:5])
    with pytest.raises(UserError, match="another network, other data, options or version"):
        explore(asked(resume=True))
    assert len(explore(asked(force=True))["points"]) == 4


def test_no_file_of_a_person_is_taken(sweep):
    asked, _ = sweep
    with pytest.raises(UserError, match="there is no sweep to resume"):
        explore(asked(resume=True))
    mine = journal_file(asked().result)
    mine.write_text("a year's work\n")
    for more in ({}, {"resume": True}, {"force": True}):
        with pytest.raises(UserError, match="is not of a sweep; move it away"):
            explore(asked(**more))
    assert mine.read_text() == "a year's work\n"


def test_a_source_that_is_another_file_elsewhere_is_told(sweep, tmp_path):
    from dalif_deploy.exploration.sweep_source import SweepSource

    work = PointWork(
        SweepSource(tmp_path / "model.pt"), "0" * 64, str(tmp_path / "data.npz"), None, None, "cpu", None, 1, None
    )
    with pytest.raises(RuntimeError, match="another file than where the sweep began"):
        work({"steps": 1})


def test_the_command_leaves_no_journal_and_needs_a_file(sweep, tmp_path, capfd):
    words = ["energy", tmp_path / "model.pt", "--data", tmp_path / "data.npz", "--sweep", "steps=1,2"]
    done = run_here([*words, "--resume"], capfd)
    assert done.returncode == 2 and "--resume needs the --json FILE" in done.stderr
    done = run_here([*words, "--json", tmp_path / "f.json"], capfd)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.npz", "f.json", "model.pt"]
