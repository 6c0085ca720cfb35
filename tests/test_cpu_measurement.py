"""RAPL counters of a processor, in a made-up powercap folder: which count, where they start again, what is measured."""

import pytest

from dalif_deploy.hw_models.energy.opponents import measurement
from dalif_deploy.hw_models.energy.opponents.cpu_measurement import RaplCounter, find_cpu_counter, measured_cpu
from dalif_deploy.hw_models.energy.opponents.measurement import Measurement, measure
from dalif_deploy.hw_models.energy.report import energy_report
from dalif_deploy.hw_models.simulator import batched
from tests.test_energy_models import run

RANGE = 1_000_000


class Powercap:
    """Two packages with cores and memory below, and the platform, as Linux lists them: all in one folder."""

    def __init__(self, folder):
        self.folder = folder
        for zone, name, microjoules in (
            ("intel-rapl:0", "package-0", 100),
            ("intel-rapl:0:0", "core", 50),
            ("intel-rapl:0:1", "dram", 30),
            ("intel-rapl:1", "package-1", RANGE - 10),
            ("intel-rapl:2", "psys", 500),
            ("intel-rapl-mmio:0", "package-0", 100),
        ):
            (folder / zone).mkdir()
            (folder / zone / "name").write_text(name + "\n")
            (folder / zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
            self.set(zone, microjoules)

    def set(self, zone, microjoules):
        (self.folder / zone / "energy_uj").write_text(f"{microjoules}\n")

    def spend(self, zone, microjoules):
        before = int((self.folder / zone / "energy_uj").read_text())
        self.set(zone, (before + microjoules) % RANGE)


@pytest.fixture
def powercap(tmp_path):
    return Powercap(tmp_path)


def test_packages_and_memory_count_once(powercap):
    counter = RaplCounter(powercap.folder)
    assert counter.joules() == 0
    for zone, microjoules in (("0", 7), ("0:0", 5), ("0:1", 11), ("1", 3), ("2", 900)):
        powercap.spend(f"intel-rapl:{zone}", microjoules)
    assert counter.joules() == pytest.approx((7 + 11 + 3) * 1e-6)


def test_a_counter_that_starts_again_goes_on(powercap):
    """Package 1 is 10 microjoules before its end."""
    counter = RaplCounter(powercap.folder)
    spent = 0
    for _ in range(5):
        powercap.spend("intel-rapl:1", 600_000)
        spent += 600_000
        assert counter.joules() == pytest.approx(spent * 1e-6)


def test_gross_and_above_idle_over_a_wrap(powercap):
    """20 W idle; each run of 10 samples takes 0.02 s and 30 mJ more, on package 1, which starts again all the time."""
    now = [0.0]

    def sleep(seconds, extra=0.0):
        now[0] += seconds
        for _ in range(round(seconds / 0.01)):  # nobody reads between: less than one range at a time
            powercap.spend("intel-rapl:1", 200_000)
        powercap.spend("intel-rapl:1", round(extra * 1e6))

    counter = RaplCounter(powercap.folder)
    short = {"seconds": 0.01, "idle_seconds": 0.04, "warm_up_seconds": 0.0}
    found = measure(lambda: sleep(0.02, 0.03), counter, 10, **short, clock=lambda: now[0], sleep=sleep)
    assert found.repeats == 1
    assert found.idle_watts == pytest.approx(20)
    assert found.joules == pytest.approx((0.4 + 0.03) / 10)
    assert found.joules_above_idle == pytest.approx(0.003)


def test_rows_of_the_real_simulation(powercap, monkeypatch):
    real = measurement.measure
    short = {"seconds": 0.0, "idle_seconds": 0.01, "warm_up_seconds": 0.0}
    monkeypatch.setattr(measurement, "measure", lambda call, counter, n: real(call, counter, n, **short))
    network, encoded, counts = run()
    counter, reason = find_cpu_counter(powercap.folder)
    assert reason == "" and counter.name
    rows = measured_cpu(network, encoded, counter)
    assert [(row.status, row.batch, row.processor) for row in rows] == [
        ("measured", 1, counter.name),
        ("measured", 2, counter.name),
    ]
    report = energy_report(network, encoded, counts, measured=[], measured_cpu=rows)
    assert report.baseline_cpu.measured == rows
    assert report.baseline_cpu.not_measured_because is None
    check_shown(report, counter.name)


def test_a_batch_that_does_not_fit_is_named_as_the_one_that_ran(powercap, monkeypatch):
    network, encoded, _ = run(rows=[(1, 0, 0, 0)] * 4)
    tried, timed = [], []
    real = batched.Session.run

    def little_memory(session, encoded, recording):
        tried.append(encoded.samples)
        if encoded.samples > 2:
            raise MemoryError
        real(session, encoded, recording)

    monkeypatch.setattr(batched.Session, "run", little_memory)

    def measured(call, counter, samples):
        tried.clear()
        call()
        timed.append(tried[:])
        figures = dict.fromkeys(set(Measurement.model_fields) - {"repeats"}, 0)
        return Measurement(**figures, repeats=len(tried))

    monkeypatch.setattr(measurement, "measure", measured)
    rows = measurement.measured_rows(network, encoded, RaplCounter(powercap.folder), device="cpu", large_batch=4)
    assert [row.batch for row in rows] == [1, 2]
    assert timed[-1] == [2, 2]


def check_shown(report, name):
    from io import StringIO

    from rich.console import Console

    from dalif_deploy.reports.energy_page import energy_page
    from dalif_deploy.reports.opponents_table import print_opponents

    out = StringIO()
    print_opponents(report, Console(file=out, width=200))
    assert name in out.getvalue() and "above idle" in out.getvalue()
    assert name in energy_page(report)


def test_the_reason_is_given_where_nothing_can_be_read(powercap, tmp_path, monkeypatch):
    counter, reason = find_cpu_counter(tmp_path / "nothing")
    assert counter is None and "no RAPL package" in reason

    def refused(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.read_text", refused)
        counter, reason = find_cpu_counter(powercap.folder)
    assert counter is None and "owner only" in reason and "intel-rapl:0" in reason
    powercap.set("intel-rapl:0", "not a number")
    counter, reason = find_cpu_counter(powercap.folder)
    assert counter is None and "RAPL can't be read" in reason
    for zone in ("intel-rapl:0", "intel-rapl:1"):
        (powercap.folder / zone / "name").write_text("psys\n")
    assert "no RAPL package" in find_cpu_counter(powercap.folder)[1]
