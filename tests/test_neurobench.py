"""Synaptic operations as NeuroBench counts them, on the same networks and spikes: its own code is the judge."""

import numpy as np
import pytest
import torch
from torch import nn

from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import random_network

macs = pytest.importorskip("neurobench.metrics.utils.layers", reason="pip install --no-deps neurobench==2.3.0")


def layer_of(projection, shape):
    """The projection as the torch layer that NeuroBench would see; weights as the chip stores them."""
    weight = torch.from_numpy(projection.weight.astype(np.float32))
    g = projection.geometry
    if g is None:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    else:
        layer = nn.Conv2d(
            shape[0], len(weight), weight.shape[2:], g.stride, g.padding, g.dilation, g.groups, bias=False
        )
    layer.weight.data = weight
    return layer


def operations(network, encoded):
    """Projection -> (operations of all samples, whether NeuroBench calls them accumulates)."""
    fired = simulate(network, encoded, record=("spikes",)).spikes
    sent = {**encoded.messages, **fired}
    found = {}
    for name, projection in network.projections.items():
        shape = network.source_shape(projection.source)
        x = torch.from_numpy(np.broadcast_to(sent[projection.source], (encoded.samples, encoded.steps, *shape)).copy())
        x = x.flatten(0, 1).float()
        found[name] = macs.single_layer_MACs(x if projection.geometry else x.flatten(1), layer_of(projection, shape))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed):
    network, encoded = random_network(np.random.default_rng(seed))
    if seed % 2:
        # what NeuroBench calls a MAC it tells by the values: leave it no doubt
        encoded = EncodedInput(encoded.steps, encoded.samples, {k: np.minimum(abs(m), 1) for k, m in encoded.messages.items()})  # noqa: E501 # fmt: skip
    counts = count_activity(network, encoded)
    theirs = operations(network, encoded)
    assert sum(number for number, _ in theirs.values()) > 1000
    for name, counted in counts.projections.items():
        assert counted.synaptic_operations.sum() == theirs[name][0], name


def test_trained_network_on_digits_and_what_it_calls_a_mac(tmp_path):
    from dalif_deploy.converters.export_network import export_network
    from dalif_deploy.data import load_data
    from tests.test_commands import checkpoint

    source = checkpoint(tmp_path / "model.pt", channels=[6, 8], strides=[1, 2])
    network = export_network(source, "lava", tmp_path / "out").network
    encoded = encode_input(network, load_data("digits:test").inputs[:20])
    counts = count_activity(network, encoded)
    theirs = operations(network, encoded)
    assert [bool(number) for number, _ in theirs.values()].count(True) >= 2
    for name, counted in counts.projections.items():
        number, accumulates = theirs[name]
        assert counted.synaptic_operations.sum() == number
        if number:
            # real-valued pixels are multiply-accumulates in both, spikes accumulates
            assert counted.graded == (not accumulates)
