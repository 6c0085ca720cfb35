"""Plots: what is drawn is what was recorded and trained."""

import numpy as np
import pytest
import torch

import dalif_deploy as dd
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import Recording
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint

plt = pytest.importorskip("matplotlib.pyplot")
from dalif_deploy import plots  # noqa: E402 - where matplotlib is


@pytest.fixture(autouse=True)
def closed():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(0)
    spikes = (rng.random((2, 7, 2, 3)) < 0.4).astype(np.uint8)
    return Recording(spikes={"a": spikes}, membrane={"a": rng.integers(-99, 99, (2, 7, 2, 3))})


def test_a_dot_each_spike(run, tmp_path):
    dots = plots.raster(run, "a", sample=1).collections[0].get_offsets()
    assert {(int(t), int(n)) for t, n in dots} == set(zip(*np.nonzero(run.spikes["a"][1].reshape(7, 6)), strict=True))
    np.savez(tmp_path / "r.npz", **{"a.spikes": run.spikes["a"], "a.membrane": run.membrane["a"]})
    again = plots.raster(tmp_path / "r.npz", "a", sample=1).collections[0].get_offsets()
    assert np.array_equal(dots, again)


@pytest.mark.parametrize("neuron", [(1, 2), 5])
def test_a_membrane_its_threshold_and_its_spikes(run, neuron):
    _, given = plt.subplots()
    axes = plots.membrane(run, "a", neuron, 42.0, axes=given)
    assert axes is given
    line, threshold, marks = axes.lines
    assert np.array_equal(line.get_ydata(), run.membrane["a"][0, :, 1, 2]) and set(threshold.get_ydata()) == {42.0}
    assert np.array_equal(marks.get_xdata(), np.flatnonzero(run.spikes["a"][0, :, 1, 2]))


@pytest.mark.parametrize("exported", [False, True])
def test_decays_are_the_trained_ones(tmp_path, exported):
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[3, 4], strides=[2, 1], steps=4))
    with torch.no_grad():
        network.layers["block1"].neuron.tau_b.fill_(0.3)
        network.layers["block2"].neuron.tau_a.fill_(0.9)
    if exported:
        save_checkpoint(tmp_path / "m.pt", network, {})
        axes = plots.decays(dd.export(tmp_path / "m.pt", out=tmp_path / "out"))
    else:
        axes = plots.decays(network)
    alpha, beta = (container.lines[0].get_ydata() for container in axes.containers)
    neurons = [network.layers[name].neuron for name in ("block1", "block2")]
    assert alpha == pytest.approx([float(n.alpha.detach()) for n in neurons])
    assert beta == pytest.approx([float(n.beta.detach()) for n in neurons])


def test_what_is_not_there_is_named(run, tmp_path):
    for draw, words in (
        (lambda: plots.raster(run, "b"), "no spikes of layer 'b'.*choose one of a"),
        (lambda: plots.raster(run, "a", sample=2), "no sample 2: there are 2"),
        (lambda: plots.membrane(run, "a", (2, 0)), "no neuron"),
        (lambda: plots.membrane(run, "a", 6), "no neuron 6"),
        (lambda: plots.raster(tmp_path / "none.npz", "a"), "none.npz"),
    ):
        with pytest.raises(UserError, match=words):
            draw()
