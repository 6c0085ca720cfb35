"""SpikingJelly, its tutorials and the networks of its model zoo.

The tutorials (spikingjelly.readthedocs.io, "activation_based"): a single layer on MNIST with a Poisson encoder, the
CSNN on Fashion-MNIST (`conv_fashion_mnist.py`), step modes, recurrent connections and stateful synapses
(`rsnn_sequential_fmnist.py`), the spiking deep Q network (`spiking_dqn_state.py`), and ANN2SNN. The zoo
(`activation_based/model`): the parametric LIF networks, DVSGestureNet, SEW-ResNet, Spiking ResNet and Spiking VGG, made
by SpikingJelly's own functions. State is kept in the modules until `functional.reset_net`.
"""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import ann2snn, functional, layer, neuron, surrogate
from spikingjelly.activation_based.ann2snn.sample_models.mnist_cnn import CNN
from spikingjelly.activation_based.model import parametric_lif_net, sew_resnet, spiking_resnet, spiking_vgg
from torch import nn

from .entry import ZooNetwork
from .samples import digits, events, spike_trains


def mean_over_static(steps: int):
    """The tutorials' loop in single-step mode: the same image at each step, the mean of what comes out."""

    def run(net: nn.Module, img: torch.Tensor) -> torch.Tensor:
        out_fr = 0.0
        for _t in range(steps):
            out_fr += net(img)
        out_fr = out_fr / steps
        functional.reset_net(net)
        return out_fr

    return run


def mean_over_frames(net: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Multi-step mode on [T, N, ...], as for event data: the mean of what comes out."""
    out_fr = net(frames).mean(0)
    functional.reset_net(net)
    return out_fr


def mean_over_repeated(steps: int):
    """Multi-step mode on a still image, repeated by the script."""

    def run(net: nn.Module, img: torch.Tensor) -> torch.Tensor:
        return mean_over_frames(net, img.unsqueeze(0).repeat(steps, *[1] * img.dim()))

    return run


def once_and_reset(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A module that goes through time by itself."""
    out = net(x)
    functional.reset_net(net)
    return out


def mean_over_spikes(net: nn.Module, spikes: torch.Tensor) -> torch.Tensor:
    """The tutorial's loop with an encoder before the network."""
    out_fr = 0.0
    for step in spikes:
        out_fr += net(step)
    functional.reset_net(net)
    return out_fr / len(spikes)


class SingleLayer(nn.Module):
    """The first tutorial: one layer of LIF."""

    def __init__(self, tau: float = 2.0):
        super().__init__()
        self.layer = nn.Sequential(
            layer.Flatten(),
            layer.Linear(28 * 28, 10, bias=False),
            neuron.LIFNode(tau=tau, surrogate_function=surrogate.ATan()),
        )

    def forward(self, x: torch.Tensor):
        return self.layer(x)


class CSNN(nn.Module):
    """The convolutional tutorial, whose `forward` repeats the image and averages over time."""

    def __init__(self, T: int = 4, channels: int = 8):
        super().__init__()
        self.T = T
        self.conv_fc = nn.Sequential(
            layer.Conv2d(1, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Flatten(),
            layer.Linear(channels * 7 * 7, channels * 4 * 4, bias=False),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.Linear(channels * 4 * 4, 10, bias=False),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
        )
        functional.set_step_mode(self, step_mode="m")

    def forward(self, x: torch.Tensor):
        x_seq = x.unsqueeze(0).repeat(self.T, 1, 1, 1, 1)
        return self.conv_fc(x_seq).mean(0)


def plain_conv() -> nn.Module:
    """Convolution, batch norm, IF and max pooling from torch.nn in a plain `Sequential`."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        neuron.IFNode(surrogate_function=surrogate.ATan()),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 10),
        neuron.IFNode(surrogate_function=surrogate.ATan()),
    )


def multi_step_conv() -> nn.Module:
    """The same of SpikingJelly's layers, in multi-step mode."""
    net = nn.Sequential(
        layer.Conv2d(1, 8, 3, padding=1, bias=False),
        layer.BatchNorm2d(8),
        neuron.IFNode(surrogate_function=surrogate.ATan()),
        layer.MaxPool2d(2, 2),
        layer.Flatten(),
        layer.Linear(8 * 4 * 4, 10),
        neuron.IFNode(surrogate_function=surrogate.ATan()),
    )
    functional.set_step_mode(net, "m")
    return net


def containers() -> nn.Module:
    """Layers of torch.nn inside `SeqToANNContainer`; soft reset."""
    options = {"tau": 2.0, "v_reset": None, "step_mode": "m"}
    return nn.Sequential(
        layer.SeqToANNContainer(nn.Conv2d(2, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8)),
        neuron.LIFNode(**options),
        layer.SeqToANNContainer(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * 8 * 8, 10)),
        neuron.LIFNode(**options),
    )


def undecayed_input() -> nn.Module:
    """LIF and parametric LIF whose input is not scaled by 1/tau; grouped and dilated convolutions."""
    net = nn.Sequential(
        layer.Conv2d(1, 8, 3, padding=1),
        neuron.LIFNode(tau=2.0, decay_input=False),
        layer.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),
        neuron.ParametricLIFNode(init_tau=3.0, decay_input=False),
        layer.AdaptiveAvgPool2d((2, 2)),
        layer.Flatten(),
        layer.Linear(32, 10),
        neuron.ParametricLIFNode(init_tau=2.0, decay_input=True, v_reset=None),
    )
    functional.set_step_mode(net, "m")
    return net


class Concatenated(nn.Module):
    """Channels of an earlier layer beside those of a later one, as in densely connected networks."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(layer.Conv2d(1, 6, 3, padding=1, bias=False), layer.BatchNorm2d(6), neuron.IFNode())
        self.grow = nn.Sequential(layer.Conv2d(6, 4, 3, padding=1, bias=False), layer.BatchNorm2d(4), neuron.IFNode())
        self.head = nn.Sequential(layer.Conv2d(10, 10, 1), neuron.IFNode(), layer.AdaptiveAvgPool2d(1), layer.Flatten())

    def forward(self, x):
        x = self.stem(x)
        return self.head(torch.cat([x, self.grow(x)], dim=1))


class TokenAttention(nn.Module):
    """Spikes that let other spikes of their place pass, as spiking transformers' linear attention has it."""

    def __init__(self, channels: int = 8, steps: int = 4):
        super().__init__()
        self.steps = steps
        node = {"surrogate_function": surrogate.ATan(), "detach_reset": True, "step_mode": "m"}
        self.embed, self.embed_norm = nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.embed_lif = neuron.LIFNode(tau=2.0, **node)
        self.q_conv, self.q_norm = nn.Conv1d(channels, channels, 1, bias=False), nn.BatchNorm1d(channels)
        self.k_conv, self.k_norm = nn.Conv1d(channels, channels, 1, bias=False), nn.BatchNorm1d(channels)
        self.q_lif, self.k_lif = neuron.LIFNode(tau=2.0, **node), neuron.LIFNode(tau=2.0, **node)
        self.token_lif = neuron.LIFNode(tau=2.0, v_threshold=0.5, **node)
        self.head = nn.Linear(channels, 10)

    def spikes(self, x, conv, norm, lif):
        out = norm(conv(x.flatten(0, 1)))
        return lif(out.reshape(*x.shape[:2], *out.shape[1:]))

    def forward(self, image):
        x = image.unsqueeze(0).repeat(self.steps, 1, 1, 1, 1)
        x = self.spikes(x, self.embed, self.embed_norm, self.embed_lif).flatten(3)
        q, k = (
            self.spikes(x, self.q_conv, self.q_norm, self.q_lif),
            self.spikes(x, self.k_conv, self.k_norm, self.k_lif),
        )
        tokens = self.token_lif(q.sum(dim=2, keepdim=True))
        x = x + tokens * k
        return self.head(x.mean(3)).mean(0)


class Segmentation(nn.Module):
    """Down and up again with a skip, as networks for segmentation and depth are: nearest upsampling, one map out."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(layer.Conv2d(2, 6, 3, stride=2, padding=1), neuron.IFNode())
        self.deep = nn.Sequential(layer.Conv2d(6, 8, 3, stride=2, padding=1), neuron.IFNode())
        self.up = nn.Sequential(layer.Conv2d(8, 6, 3, padding=1), neuron.IFNode())
        self.head = nn.Sequential(layer.Conv2d(12, 1, 1), neuron.IFNode())

    def forward(self, x):
        skip = self.down(F.pad(x, (1, 1, 1, 1)))
        up = self.up(F.interpolate(self.deep(skip), scale_factor=2, mode="nearest"))
        return self.head(torch.cat((skip, up), 1))


class Opponent(nn.Module):
    """Two branches, one subtracted from the other; weights of a half."""

    def __init__(self):
        super().__init__()
        self.on = nn.Sequential(layer.Conv2d(1, 6, 3, padding=1), neuron.LIFNode())
        self.off = nn.Sequential(layer.Conv2d(1, 6, 5, padding=2, padding_mode="circular"), neuron.LIFNode())
        self.both = neuron.LIFNode(tau=1.5)
        self.fc = layer.Linear(6 * 16, 10)
        self.out = neuron.LIFNode(v_threshold=0.5)

    def forward(self, x):
        off, on = self.off(x), self.on(x)
        both = self.both(2.0 * (on - 0.5 * off))
        return self.out(self.fc(F.avg_pool2d(both, 2).permute(0, 2, 3, 1).reshape(x.shape[0], -1)))


class NonSpikingLIFNode(neuron.SimpleLIFNode):
    """The readout of the spiking deep Q network: charges and never fires."""

    def single_step_forward(self, x: torch.Tensor):
        self.neuronal_charge(x)
        return self.v


class DQSN(nn.Module):
    """The spiking deep Q network: what counts is the readout's membrane at the end."""

    def __init__(self, input_size: int = 64, hidden_size: int = 40, output_size: int = 4, T: int = 16):
        super().__init__()
        self.fc = nn.Sequential(
            layer.Linear(input_size, hidden_size),
            neuron.IFNode(),
            layer.Linear(hidden_size, output_size),
            NonSpikingLIFNode(tau=2.0, decay_input=True),
        )
        self.T = T

    def forward(self, x):
        for _ in range(self.T):
            self.fc(x)
        return self.fc[-1].v


class DeepQ(nn.Module):
    """The example DSQN: the largest membrane of neurons that do not fire is an action's value."""

    def __init__(self, steps: int = 5):
        super().__init__()
        self.steps = steps
        self.network = nn.Sequential(
            layer.Conv2d(4, 8, kernel_size=8, stride=4),
            neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True),
            layer.Flatten(),
            layer.Linear(8 * 8 * 8, 32),
            neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True),
            layer.Linear(32, 4),
            neuron.NonSpikingLIFNode(decode="max-mem"),
        )
        functional.set_step_mode(self.network, "m")

    def forward(self, x):
        return self.network(x.unsqueeze(0).expand(self.steps, -1, -1, -1, -1))


class Sequence(nn.Module):
    """The tutorial on recurrence: a row of the image a step; `between` stands between its two layers."""

    def __init__(self, between: nn.Module):
        super().__init__()
        self.fc = nn.Sequential(
            layer.Linear(28, 32), *between, layer.Linear(32, 10), neuron.IFNode(surrogate_function=surrogate.ATan())
        )
        functional.set_step_mode(self, step_mode="m")

    def forward(self, x):
        return self.fc(x).mean(0)


def feedback() -> nn.Module:
    node = neuron.IFNode(surrogate_function=surrogate.ATan(), detach_reset=True)
    return Sequence([layer.LinearRecurrentContainer(node, in_features=32, out_features=32, bias=True)])


def stateful_synapse() -> nn.Module:
    return Sequence([neuron.IFNode(surrogate_function=surrogate.ATan()), layer.SynapseFilter(tau=2.0, learnable=True)])


def rows() -> torch.Tensor:
    """Images a row at a time, [28, N, 28], as the tutorial transposes them."""
    return digits(size=28)[:, 0].transpose(0, 1).contiguous()


def converted_ann() -> nn.Module:
    """ANN2SNN: a ReLU network, its batch norm settled, converted by rates of its activations on images."""
    ann, images = CNN(), digits(samples=32, size=28)
    with torch.no_grad():
        for _ in range(30):
            ann.train()(images)
    recipe = ann2snn.RateCodingRecipe(dataloader=[(images, torch.zeros(32))], mode="99.9%")
    return ann2snn.FXConverter(recipe).convert(ann.eval())


def zoo_model(function, **options: object) -> nn.Module:
    """As the zoo's own scripts make them: multi-step mode, ATan, reset not differentiated."""
    options = {"spiking_neuron": neuron.IFNode, "num_classes": 10, "surrogate_function": surrogate.ATan(), **options}
    net = function(detach_reset=True, **deepcopy(options))
    functional.set_step_mode(net, "m")
    return net


def parametric(net: type, channels: int) -> nn.Module:
    options = {"spiking_neuron": neuron.ParametricLIFNode, "surrogate_function": surrogate.ATan()}
    model = net(channels=channels, detach_reset=True, **options)
    functional.set_step_mode(model, "m")
    return model


def colour() -> torch.Tensor:
    return digits(samples=4, size=32, channels=3)


NETWORKS = [
    ZooNetwork("spikingjelly-single-layer", "SpikingJelly", "tutorial lif_fc_mnist, Poisson encoder", SingleLayer,
               lambda: spike_trains(20).unflatten(-1, (1, 28, 28)), 20, mean_over_spikes, "time_first", "caller"),
    ZooNetwork("spikingjelly-csnn", "SpikingJelly", "tutorial conv_fashion_mnist", CSNN,
               lambda: digits(size=28), 4, once_and_reset),
    ZooNetwork("spikingjelly-conv-norm-pool", "SpikingJelly", "tutorial on step modes, single-step", plain_conv,
               digits, 8, mean_over_static(8), loop="caller"),
    ZooNetwork("spikingjelly-multi-step", "SpikingJelly", "tutorial on step modes, multi-step", multi_step_conv,
               digits, 8, mean_over_repeated(8)),
    ZooNetwork("spikingjelly-containers", "SpikingJelly", "tutorial on containers (SeqToANNContainer)", containers,
               lambda: events(8), 8, mean_over_frames, "time_first"),
    ZooNetwork("spikingjelly-undecayed-input", "SpikingJelly", "documentation of LIFNode and ParametricLIFNode",
               undecayed_input, digits, 8, mean_over_repeated(8)),
    ZooNetwork("spikingjelly-concatenated", "SpikingJelly", "dense connections in single-step mode", Concatenated,
               digits, 8, mean_over_static(8), loop="caller"),
    ZooNetwork("spikingjelly-token-attention", "SpikingJelly", "spiking transformers' linear attention", TokenAttention,
               digits, 4, once_and_reset),
    ZooNetwork("spikingjelly-segmentation", "SpikingJelly", "networks for segmentation, single-step", Segmentation,
               lambda: events(8), 8, mean_over_spikes, "time_first", "caller"),
    ZooNetwork("spikingjelly-opponent", "SpikingJelly", "branches subtracted, single-step", Opponent,
               digits, 8, mean_over_static(8), loop="caller"),
    ZooNetwork("spikingjelly-dqn", "SpikingJelly", "example spiking_dqn_state", DQSN,
               lambda: digits().flatten(1), 16, once_and_reset, silent=("fc.3",)),
    ZooNetwork("spikingjelly-deep-q", "SpikingJelly", "example DSQN", DeepQ,
               lambda: digits(size=36, channels=4), 5, once_and_reset),
    ZooNetwork("spikingjelly-plain-sequence", "SpikingJelly", "tutorial rsnn_sequential_fmnist, PlainNet",
               lambda: Sequence([neuron.IFNode(surrogate_function=surrogate.ATan())]), rows, 28, once_and_reset,
               "time_first"),
    ZooNetwork("spikingjelly-feedback", "SpikingJelly", "tutorial rsnn_sequential_fmnist, FeedBackNet", feedback,
               rows, 28, once_and_reset, "time_first"),
    ZooNetwork("spikingjelly-stateful-synapse", "SpikingJelly", "tutorial rsnn_sequential_fmnist, StatefulSynapseNet",
               stateful_synapse, rows, 28, once_and_reset, "time_first",
               refused_for="a product of spikes and a state (a trace that decays only while no spike comes)"),
    ZooNetwork("spikingjelly-converted-ann", "SpikingJelly", "ann2snn.examples.cnn_mnist", converted_ann,
               lambda: digits(size=28), 32, mean_over_static(32), loop="caller"),
    ZooNetwork("spikingjelly-plif-mnist", "SpikingJelly", "zoo parametric_lif_net.MNISTNet",
               lambda: parametric(parametric_lif_net.MNISTNet, 8), lambda: digits(samples=4, size=28), 4,
               mean_over_repeated(4)),
    ZooNetwork("spikingjelly-plif-cifar10", "SpikingJelly", "zoo parametric_lif_net.CIFAR10Net",
               lambda: parametric(parametric_lif_net.CIFAR10Net, 16), colour, 4, mean_over_repeated(4), large=True,
               lava_minutes=15),
    ZooNetwork("spikingjelly-dvs-gesture", "SpikingJelly", "zoo parametric_lif_net.DVSGestureNet",
               lambda: parametric(parametric_lif_net.DVSGestureNet, 16), lambda: events(4, samples=2, size=128), 4,
               mean_over_frames, "time_first", large=True),
    ZooNetwork("spikingjelly-sew-resnet18", "SpikingJelly", "zoo sew_resnet18, ADD",
               lambda: zoo_model(sew_resnet.sew_resnet18, cnf="ADD"), colour, 4, mean_over_repeated(4), large=True),
    ZooNetwork("spikingjelly-resnet18", "SpikingJelly", "zoo spiking_resnet18",
               lambda: zoo_model(spiking_resnet.spiking_resnet18), colour, 4, mean_over_repeated(4), large=True),
    ZooNetwork("spikingjelly-vgg11-bn", "SpikingJelly", "zoo spiking_vgg11_bn",
               lambda: zoo_model(spiking_vgg.spiking_vgg11_bn), colour, 4, mean_over_repeated(4), large=True),
]  # fmt: skip
