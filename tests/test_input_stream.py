"""Samples encoded a range at a time give the counts, the report and the spikes of samples encoded at once."""

import tracemalloc

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipNetwork, HostProjection, Projection
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.report import energy_report
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.mapping import map_or_refusal
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.stream import InputStream
from tests.chip_networks import chip, population


def dense(source, target, weight):
    return Projection(f"{source}-{target}", source, target, weight, 0)


def networks() -> dict[str, tuple[ChipNetwork, np.ndarray]]:
    rng = np.random.default_rng(5)
    layers = [population("a", (6,), vth=60, dv=400), population("b", (3,), vth=40, dv=900)]
    first = dense("input", "a", rng.integers(-60, 60, (6, 4)) * 2)
    second = dense("a", "b", rng.integers(-60, 60, (3, 6)) * 2)
    levels = ChipInput("input", (4,), "graded", step=0.125, min_level=-255, max_level=255)
    graded = chip([levels], layers, [first, second], steps=5)
    bias = chip([ChipInput("input", (4,), "bias")], layers, [second], steps=5)
    bias.host_projections["host"] = HostProjection("host", "input", "a", rng.normal(0, 900, (6, 4)), np.zeros(6))
    images = rng.normal(0, 1, (53, 4))
    moving = rng.normal(0, 1, (53, 5, 4))
    return {"graded": (graded, images), "bias": (bias, images), "moving": (graded, moving)}


@pytest.mark.parametrize("kind", ["graded", "bias", "moving"])
def test_counts_and_report_are_those_of_samples_encoded_at_once(kind):
    chip_network, data = networks()[kind]
    reports = []
    for encoded in (encode_input(chip_network, data), InputStream(chip_network, data)):
        mapping, refusal = map_or_refusal(chip_network, encoded)
        counts = count_activity(chip_network, encoded, mapping=mapping, batch_size=7)
        reports.append(energy_report(chip_network, encoded, counts, measured=[], does_not_fit=refusal))
        assert counts.spikes().sum() > 0
    assert reports[0] == reports[1]


@pytest.mark.parametrize("kind", ["graded", "bias", "moving"])
def test_a_range_is_the_same_range_of_all(kind):
    chip_network, data = networks()[kind]
    whole, stream = encode_input(chip_network, data), InputStream(chip_network, data)
    assert (stream.samples, stream.steps) == (whole.samples, whole.steps)
    for samples in (slice(0, 10), slice(17, 40), slice(50, 90), slice(None), slice(3, 3)):
        for got in (stream.part(samples), stream.range(samples).part(slice(None))):
            wanted = whole.part(samples)
            assert (got.samples, got.steps) == (wanted.samples, wanted.steps)
            for name, messages in wanted.messages.items():
                np.testing.assert_array_equal(got.messages[name], messages)
            for name, registers in wanted.bias.items():
                np.testing.assert_array_equal(got.bias[name], registers)


def test_counting_ten_times_the_samples_takes_no_more_memory():
    chip_network, data = networks()["moving"]
    peaks = []
    for repeats in (20, 200):
        many = np.tile(data.astype(np.float32), (repeats, 1, 1))
        tracemalloc.start()
        count_activity(chip_network, InputStream(chip_network, many), batch_size=500)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # the counts themselves are 8 bytes a sample and kind, and joined once; encoded at once it would be 400 a sample
    more_samples = 180 * len(data)
    assert peaks[1] - peaks[0] < 8 * 30 * more_samples


def test_lava_takes_a_stream(lava):
    from dalif_deploy.converters.lava.lava_session import run_lava

    for kind in ("bias", "moving"):
        chip_network, data = networks()[kind]
        data = np.tile(data, (6,) + (1,) * (data.ndim - 1))[:300]  # more than are written at a time
        runs = [
            run_lava(chip_network, encoded, threads=True)
            for encoded in (encode_input(chip_network, data), InputStream(chip_network, data))
        ]
        for found in ("spikes", "membrane"):
            for name in chip_network.populations:
                np.testing.assert_array_equal(*(getattr(run, found)[name] for run in runs))
        assert runs[1].spikes["a"].shape == (300, 5, 6) and runs[1].spikes["a"].any()


def test_a_wrong_value_is_refused_when_it_is_reached():
    spikes = chip(
        [ChipInput("input", (2,), "spikes")], [population("a", (2,))], [dense("input", "a", np.eye(2, dtype=int))]
    )
    data = np.zeros((20, 2))
    data[15] = 0.5
    stream = InputStream(spikes, data)
    assert stream.part(slice(0, 15)).samples == 15
    with pytest.raises(UserError, match="other than 0 and 1"):
        count_activity(spikes, stream, batch_size=4)
