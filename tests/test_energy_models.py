"""Energies worked out on paper for a small network, and the report built from them."""

import json

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import (
    ChipInput,
    ChipNetwork,
    Geometry,
    HostProjection,
    Population,
    Projection,
)
from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.models import loihi_energy
from dalif_deploy.hw_models.energy.opponents.arithmetic import arithmetic_45nm, dense_pass
from dalif_deploy.hw_models.energy.opponents.gpu_measurement import find_counter, measured_gpu
from dalif_deploy.hw_models.energy.opponents.gpu_roofline import Work, dense_work, gpu_energy
from dalif_deploy.hw_models.energy.opponents.measurement import measure
from dalif_deploy.hw_models.energy.report import EnergyReport, energy_report
from dalif_deploy.hw_models.samples.encode import encode_input


def make_network(mode="spikes", chip="loihi1", steps=4):
    """4 inputs -> 5 neurons that fire whenever they get an event -> 3 that integrate."""

    def population(name, n, **fields):
        zero = np.array(0)
        values = dict(du=np.array(4095), dv=zero, vth=zero, bias_mant=zero, bias_exp=zero)
        return Population(name, (n,), **{**values, **fields})

    pops = {"hidden": population("hidden", 5), "out": population("out", 3, vth=np.array(131071), fires=False)}
    projections = [Projection("hidden-out", "hidden", "out", np.full((3, 5), 2))]
    host = []
    if mode == "bias":
        host = [HostProjection("in-hidden", "in", "hidden", np.ones((5, 4)), np.zeros(5))]
    else:
        projections.insert(0, Projection("in-hidden", "in", "hidden", np.full((5, 4), 2)))
    chip_input = ChipInput("in", (4,), mode, max_level=1 if mode == "spikes" else 7)
    return ChipNetwork(
        chip,
        steps,
        {"in": chip_input},
        pops,
        {p.name: p for p in projections},
        {h.name: h for h in host},
        {},
    )


def run(mode="spikes", chip="loihi1", rows=((1, 0, 0, 0), (0, 0, 0, 0))):
    network = make_network(mode, chip)
    encoded = encode_input(network, np.array(rows, dtype=float))
    return network, encoded, count_activity(network, encoded)


def test_loihi_energy_by_hand():
    """Sample 0: one input spike a step, fan-out 5; five spikes a step, fan-out 3; 4 steps. Sample 1: silence."""
    _, _, counts = run()
    operations, active, messages = 4 * (5 + 15), 4 * 8, 4 * (1 + 5)
    joules = (operations * 23.6 + active * 81 + messages * 1.7) * 1e-12
    silent = 4 * 8 * 52e-12
    energy = loihi_energy(counts, "loihi1")
    assert energy.total.mean == pytest.approx((joules + silent) / 2, rel=1e-12)
    assert energy.total.std == pytest.approx((joules - silent) / 2, rel=1e-12)
    assert energy.total.worst == pytest.approx(joules, rel=1e-12)
    assert energy.total.high is None
    assert sum(t.joules.mean for t in energy.terms) == pytest.approx(energy.total.mean, rel=1e-12)


def test_another_chip_is_called_assumed_and_gets_no_ratio():
    network, encoded, counts = run(chip="loihi2")
    report = energy_report(network, encoded, counts, measured=[], not_measured="no GPU")
    assert report.energy.status == "assumed"
    assert report.comparisons == []
    assert "assumed" in report.no_comparison_because


def test_static_energy_stands_apart():
    """104.4 mW over 4 steps: 417.6 uJ at 1 ms a step, 2.42 uJ at 5.8 us."""
    static = loihi_energy(run()[2], "loihi1").static
    assert static.status == "assumed"
    assert static.high == pytest.approx(417.6e-6)
    assert static.low == pytest.approx(104.4e-3 * 4 * 5.8e-6)


def joules_45nm(mode, rows):
    network, _, counts = run(mode, rows=rows)
    found = arithmetic_45nm(network, counts).rows
    return {(row.network, row.precision): row.total for row in found}


def test_45nm_binary_input_is_accumulates():
    found = joules_45nm("spikes", [(1, 0, 0, 0)])
    assert found["spiking", "fp32"].mean == pytest.approx(80 * 0.9e-12)
    assert found["ReLU network", "fp32"].mean == pytest.approx((20 + 15) * 4.6e-12)
    assert found["spiking", "int8"].mean == pytest.approx(80 * 0.1e-12)
    assert found["spiking", "int8"].low == pytest.approx(80 * 0.03e-12)
    assert found["ReLU network", "int8"].mean == pytest.approx(35 * 0.3e-12)


def test_45nm_graded_input_is_multiply_accumulates_each_step():
    found = joules_45nm("graded", [(3, 0, 7, 0)])
    assert found["spiking", "fp32"].mean == pytest.approx((4 * 10 * 4.6 + 4 * 15 * 0.9) * 1e-12)


def test_45nm_host_layer_is_multiply_accumulates_once_in_float():
    found = joules_45nm("bias", [(3, 0, 7, 0)])
    assert found["spiking", "fp32"].mean == pytest.approx((20 * 4.6 + 4 * 15 * 0.9) * 1e-12)
    assert found["spiking", "int8"].mean == pytest.approx((20 * 4.6 + 4 * 15 * 0.1) * 1e-12)


def test_a_network_with_a_loop_has_no_relu_equal():
    network = make_network()
    network.projections["loop"] = Projection("loop", "hidden", "hidden", np.ones((5, 5), int), delay=1)
    assert dense_pass(network) is None
    assert dense_pass(make_network()).macs == 35


def test_gpu_work_by_hand():
    """Dense layers: 20 + 15 MACs a step; the first once if its input never changes."""
    work = dense_work(make_network(), 4, static_input=False)
    assert work.flops == 2 * 4 * (20 + 15)
    assert dense_work(make_network(), 4, static_input=True).flops == 2 * (20 + 4 * 15)
    assert dense_work(make_network("bias"), 4, static_input=True).flops == 2 * (20 + 4 * 15)
    assert work.weights == 4 * (20 + 15)
    assert work.messages == 4 * (4 + 5 + 5 + 3)  # read by two layers, written by two
    assert work.states == 4 * (5 + 3) * (1 + 3)


def test_gpu_work_counts_padding_as_a_gpu_computes_it():
    network = make_network()
    network.inputs["in"].shape = (1, 4, 4)
    network.populations["hidden"].shape = (2, 4, 4)
    network.projections["in-hidden"] = Projection(
        "in-hidden", "in", "hidden", np.ones((2, 1, 3, 3), int), geometry=Geometry((1, 1), (1, 1), (1, 1))
    )
    network.projections["hidden-out"].weight = np.ones((3, 32), int)
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        x = torch.nn.functional.conv2d(torch.zeros(1, 1, 4, 4), torch.zeros(2, 1, 3, 3), padding=1)
        torch.nn.functional.linear(x.flatten(1), torch.zeros(3, 32))
    assert dense_work(network, 1, static_input=False).flops == counter.get_total_flops()


def test_roofline_by_hand():
    """19.5 TFLOP at 19.5 TFLOP/s is 1 s at 400 W; 2.039 TB of state is 1 s too."""
    gpu = load_constants("gpu_a100")
    arithmetic = gpu_energy(Work(int(39e12), 0, 0, 0), gpu, precision="fp32", batch=1)
    assert (arithmetic.bound_by, arithmetic.joules) == ("arithmetic", pytest.approx(800))
    memory = gpu_energy(Work(0, 0, 0, int(2.039e12 / 4)), gpu, precision="int8", batch=1)
    assert (memory.bound_by, memory.joules) == ("memory", pytest.approx(400))
    one, many = (gpu_energy(Work(0, 10**9, 0, 0), gpu, precision="fp32", batch=b) for b in (1, 1000))
    assert one.joules == pytest.approx(1000 * many.joules)
    assert one.status == "modelled"


class MadeUpGpu:
    """50 W idle, 3 J more for each run that takes 0.02 s."""

    name = "made-up GPU"

    def __init__(self):
        self.now, self.extra = 0.0, 0.0

    def joules(self):
        return 50 * self.now + self.extra

    def sleep(self, seconds):
        self.now += seconds

    def work(self):
        self.now, self.extra = self.now + 0.02, self.extra + 3


def test_measurement_gross_and_above_idle():
    gpu = MadeUpGpu()
    found = measure(gpu.work, gpu, 10, seconds=2.0, clock=lambda: gpu.now, sleep=gpu.sleep)
    assert found.window_seconds >= 2
    assert found.idle_watts == pytest.approx(50)
    assert found.joules_above_idle == pytest.approx(3 / 10)
    assert found.joules == pytest.approx((3 + 50 * 0.02) / 10)


def test_measured_path_runs_up_to_the_counter(monkeypatch):
    """On the CPU, with a made-up counter: the simulation that a GPU would run is the real one."""
    from dalif_deploy.hw_models.energy.opponents import measurement

    real = measurement.measure
    short = {"seconds": 0.0, "idle_seconds": 0.01, "warm_up_seconds": 0.0}
    monkeypatch.setattr(measurement, "measure", lambda run, counter, n: real(run, counter, n, **short))
    network, encoded, counts = run()
    rows = measured_gpu(network, encoded, MadeUpGpu(), device="cpu")
    assert [(row.status, row.batch) for row in rows] == [("measured", 1), ("measured", 2)]
    report = energy_report(network, encoded, counts, measured=rows)
    assert report.baseline.status == "measured"
    assert {c.gpu_status for c in report.comparisons} == {"measured"}


def test_without_a_gpu_the_reason_is_given():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    counter, reason = find_counter()
    assert counter is None
    assert "GPU" in reason


@pytest.mark.parametrize("mode", ["spikes", "graded", "bias"])
def test_report_is_json_and_every_ratio_carries_its_words(mode):
    network, encoded, counts = run(mode, rows=[(1, 0, 1, 0)])
    report = energy_report(network, encoded, counts, measured=[], not_measured="no GPU here")
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()
    assert report.baseline.status == "modelled"
    assert report.baseline.not_measured_because == "no GPU here"
    assert len(report.comparisons) == 2
    for row in report.comparisons:
        assert "(modelled)" in row.text
        assert row.with_one_chip_static.low < row.with_one_chip_static.high < row.dynamic_only
    assert (report.host is not None) == (mode == "bias")
    assert all(c.source for c in report.constants)
    layers = report.counts.layers
    assert sum(x.synaptic_operations.mean for x in layers) == counts.synaptic_operations().mean()


def test_ratio_is_gpu_over_chip():
    network, encoded, counts = run(rows=[(1, 0, 0, 0)])
    report = energy_report(network, encoded, counts, measured=[])
    a100 = [g for g in report.baseline.modelled if g.constants == "gpu_a100" and g.precision == "fp32"]
    for row, gpu in zip(report.comparisons, a100, strict=True):
        assert row.dynamic_only == pytest.approx(gpu.joules / report.energy.total.mean)


def test_tables_show_what_is_modelled_and_what_is_not_included():
    from io import StringIO

    from rich.console import Console

    from dalif_deploy.reports.energy_table import print_energy_report

    network, encoded, counts = run("bias", rows=[(1, 0, 1, 0)])
    report = energy_report(network, encoded, counts, measured=[], not_measured="no GPU here").to_dict()
    report["counts"]["layers"][0]["name"] = "[red]x"  # a layer's name must not be taken for markup
    out = StringIO()
    print_energy_report(EnergyReport.model_validate(report), Console(file=out, width=160))
    text = out.getvalue()
    for words in ("[red]x", "not measured: no GPU here", "modelled", "assumed", "not included", "Davies", "at least"):
        assert words in text
