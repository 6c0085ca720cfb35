"""Every architecture: its shape, its NIR graph spike for spike, its way to the chip."""

import pytest
import torch

from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.networks import NetworkSpec, build_network

# input, and the layers' number and widths as published
NAMED = {
    "resnet19": ((3, 32, 32), 18, {"stem": 128, "stage2_1a": 256, "stage3_2b": 512, "dense": 256}),
    "vgg11": ((3, 32, 32), 8, {"conv1": 64, "conv8": 512}),
    "vgg16": ((3, 32, 32), 13, {"conv1": 64, "conv13": 512}),
    "vggsnn": ((2, 48, 48), 8, {"conv1": 64, "conv8": 512}),
    "sew-resnet18": ((3, 64, 64), 21, {"stem": 64, "stage1_2b": 64, "stage4_2b": 512}),
    "sew-resnet34": ((3, 64, 64), 37, {"stem": 64, "stage2_4b": 128, "stage4_3b": 512}),
}


def lively(spec):
    """Batch norms under which every layer fires."""
    torch.manual_seed(0)
    network = build_network(spec).double()
    for module in network.modules():
        if hasattr(module, "running_mean"):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.01, 0.05)
            module.bias.data.normal_(0.3, 0.2)
    return network.eval()


@pytest.mark.parametrize("arch", NAMED)
def test_named_architectures_are_as_published(arch):
    shape, count, widths = NAMED[arch]
    with torch.device("meta"):
        network = build_network(NetworkSpec(arch=arch, input_shape=shape, classes=10))
    assert len(network.layers) == count
    for name, width in widths.items():
        norms = [m for m in network.layers[name].modules() if hasattr(m, "running_mean")]
        assert norms[0].num_features == width
    if arch == "resnet19":
        weights = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        # "19" counts the 17 3x3 convolutions and two dense layers; 1x1 shortcuts come on top
        assert sum(getattr(m, "kernel_size", None) != (1, 1) for m in weights) == 19
        assert 12.5e6 < sum(p.numel() for p in network.parameters()) < 12.8e6


@pytest.mark.parametrize("arch", NAMED)
@torch.no_grad()
def test_their_graphs_fire_as_they_do(arch):
    shape, _, _ = NAMED[arch]
    network = lively(NetworkSpec(arch=arch, input_shape=shape, classes=4, width=1 / 16, steps=2))
    x = torch.rand(1, *shape, dtype=torch.float64)
    logits, layers = network.forward_recorded(x)
    graph = network_to_nir(network)
    reference = run_reference(graph, x.numpy(), dt=1e-4, steps=2)
    assert set(reference.spikes) == set(layers)
    for name, record in layers.items():
        assert torch.equal(record["spikes"].transpose(0, 1).to(torch.uint8), torch.from_numpy(reference.spikes[name]))
        assert record["spikes"].any(), name
    torch.testing.assert_close(torch.from_numpy(reference.outputs["output"].mean(axis=1)), logits)
    network = compile_graph(graph, chip="loihi2", steps=2, dt=1e-4, input_mode="graded").network
    run = simulate(network, encode_input(network, x.numpy()))
    # deeper layers of a random network amplify each spike that rounding moved
    first = next(iter(layers))
    assert (run.spikes[first] == reference.spikes[first]).mean() > 0.95
    assert all(run.spikes[name].any() for name in layers)


def test_an_image_too_small_is_told_so():
    with pytest.raises(ValueError, match="too small"):
        NetworkSpec(arch="vgg11", input_shape=(3, 8, 8), classes=4)


def test_named_architectures_take_no_channels():
    with pytest.raises(ValueError, match="own channels"):
        NetworkSpec(arch="vgg11", input_shape=(3, 32, 32), classes=4, channels=[3], strides=[1])
