"""Networks with shortcuts and with recurrence, trained on real digits: nothing is lost on the way to the chip."""

import pytest

from benchmarks.trained_networks import measure, recurrent_graph, residual_graph
from dalif_deploy.data import load_data

CHANCE = 10.0  # percent


@pytest.fixture(scope="module")
def digits(lava):
    return load_data("digits:train"), load_data("digits:test")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["residual", "recurrent"])
def test_trained_networks_keep_their_timing_and_accuracy(digits, kind):
    training, testing = digits
    if kind == "residual":
        graph, x, steps = residual_graph(training, 4, 0), testing.inputs, 4
    else:
        graph, x, steps = recurrent_graph(training, 12, 0, 64), testing.inputs[:, 0], 8
    found = measure(graph, x, testing.labels, steps=steps, step=testing.step, lava=8)
    assert found["float"] > 6 * CHANCE and found["rate"] > 0.05
    assert found["lava mismatches"] == 0 and found["lava values"] > 5_000
    # a percent is 3.6 images of 360; benchmarks/trained_networks.py measures on 10,000
    assert abs(found["float"] - found["8 bit"]) < 2.0
    assert found["equal spikes"] > 95
    waits = {d["projection"]: d["steps"] for d in found["delays"]}
    assert waits == ({"block1b.shortcut": 1, "block2b.shortcut": 1} if kind == "residual" else {})
