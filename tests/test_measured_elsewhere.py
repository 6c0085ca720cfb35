"""Idle apart, warm-up, saturation; and a measurement of another machine in this one's report."""

import json

import pytest

from dalif_deploy.hw_models.energy.opponents import measurement
from dalif_deploy.hw_models.energy.opponents.elsewhere import MeasuredElsewhere, read_measured
from dalif_deploy.hw_models.energy.opponents.measurement import Measurement, measure, measured_rows
from dalif_deploy.hw_models.errors import UserError
from tests.test_energy_models import MadeUpGpu, run


def test_idle_stands_apart_and_a_cold_device_is_not_measured():
    """50 W idle; the first 3 seconds of work cost 100 W more, which the window must not see."""
    gpu, runs = MadeUpGpu(), []

    def work():
        runs.append(gpu.now)
        gpu.work()
        if gpu.now < 8:
            gpu.extra += 2

    found = measure(work, gpu, 4, warm_up_seconds=4, clock=lambda: gpu.now, sleep=gpu.sleep)
    assert found.window_seconds >= 10 and found.warm_up_seconds >= 4 and found.idle_window_seconds == pytest.approx(5)
    assert found.joules_above_idle == pytest.approx(3 / 4)
    assert found.joules_idle == pytest.approx(50 * 0.02 / 4)
    assert found.joules == pytest.approx(found.joules_idle + found.joules_above_idle)
    assert found.repeats * 0.02 == pytest.approx(found.window_seconds)


@pytest.mark.parametrize(
    ("seconds", "batches"),
    [
        ({1: 8, 4: 3, 16: 1, 64: 0.5}, [1, 4, 16, 64]),
        ({1: 8, 4: 3, 16: 2.9, 64: 0.5}, [1, 4, 16]),  # 3 % less: saturated
        ({1: 8, 4: 9}, [1, 4]),
    ],
)
def test_batches_grow_until_a_sample_is_no_longer_faster(monkeypatch, seconds, batches):
    network, encoded, _ = run(rows=[(1, 0, 0, 0)] * 64)
    asked = iter(seconds.values())

    def made_up(call, counter, samples):
        figures = dict.fromkeys(set(Measurement.model_fields) - {"repeats", "seconds"}, 0)
        return Measurement(**figures, repeats=1, seconds=next(asked))

    monkeypatch.setattr(measurement, "measure", made_up)
    rows = measured_rows(network, encoded, MadeUpGpu(), device="cpu", large_batch=64)
    assert [row.batch for row in rows] == batches


def elsewhere(sha256="ab"):
    return MeasuredElsewhere(
        machine="Linux elsewhere",
        network_sha256=sha256,
        artefact="net",
        data="digits:test",
        samples=3,
        steps=4,
        gpu=[],
        gpu_not_measured_because="no GPU",
        cpu=[],
        cpu_not_measured_because="no RAPL",
    )


def test_the_file_comes_back_and_another_networks_is_refused(tmp_path):
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(elsewhere().to_dict()))
    found = read_measured(file)
    assert found == elsewhere()
    found.require_network("ab")
    with pytest.raises(UserError, match="another network"):
        found.require_network("cd")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"report": "dalif-energy"}'])
def test_other_files_are_refused(tmp_path, text):
    file = tmp_path / "measured.json"
    file.write_text(text)
    with pytest.raises(UserError, match="is no measurement of dalif-energy --measure-only"):
        read_measured(file)
    with pytest.raises(UserError, match="can't be read"):
        read_measured(tmp_path / "none")
