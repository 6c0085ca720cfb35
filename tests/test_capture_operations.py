"""Layers and operations between neurons: the captured graph fires as the module does, run by plain PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.neuron import DALIF

STEPS = 6


class Net(nn.Module):
    """Neurons, an operation, neurons: [N, *shape] a step, spikes [T, N, ...]."""

    def __init__(self, operation, spikes_first=True):
        super().__init__()
        self.operation = operation
        self.first = DALIF(v_threshold=0.6, beta_init=0.7, learn="none") if spikes_first else None
        self.second = DALIF(v_threshold=0.5, beta_init=0.8, learn="none")

    def forward(self, x):
        x = x.unsqueeze(0).repeat(STEPS, *[1] * x.dim())
        if self.first is not None:
            x = self.first(x)
        steps = [self.operation(each) for each in x]
        return self.second(torch.stack(steps))


class Branches(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 1)
        self.function = function

    def forward(self, x):
        return self.function(x, self.one(x), self.two(x))


def seeded(build):
    torch.manual_seed(0)
    return build()


def conv(*args, **kwargs):
    return lambda: nn.Conv2d(2, 4, *args, **kwargs)


def settled_norm():
    norm = nn.BatchNorm2d(3)
    norm(torch.randn(64, 3, 6, 8) * 0.3 + 0.2)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.1, 0.3)
    return norm


IMAGE_OPERATIONS = {
    "conv": conv(3),
    "conv, groups and dilation": conv(3, groups=2, dilation=2, padding=2),
    "conv, same, even kernel": conv((4, 2), padding="same"),
    "conv, stride": conv((3, 2), stride=(2, 1), padding=1),
    "conv, reflect": conv(3, padding=1, padding_mode="reflect"),
    "conv, replicate": conv(3, padding=1, padding_mode="replicate"),
    "conv, circular": conv(3, padding=1, padding_mode="circular"),
    "functional conv": lambda: lambda x: F.conv2d(x, torch.linspace(-0.5, 1, 8).reshape(4, 2, 1, 1).to(x)),
    "batch norm folded": lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, bias=False), settled_norm()),
    "batch norm before": lambda: nn.Sequential(nn.Conv2d(2, 3, 1), nn.AvgPool2d(2), settled_norm()),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3)),
    "dropout, identity": lambda: nn.Sequential(nn.Dropout(), nn.Identity(), nn.Dropout2d()),
    "average pool": lambda: nn.AvgPool2d(2),
    "average pool, padded": lambda: nn.AvgPool2d(3, 2, 1),
    "average pool, rounded up": lambda: nn.AvgPool2d(3, 2, ceil_mode=True),
    "average pool, padding not counted": lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "adaptive, whole": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "adaptive, even": lambda: nn.AdaptiveAvgPool2d((3, 2)),
    "adaptive, uneven": lambda: nn.AdaptiveAvgPool2d((4, 3)),
    "mean of pixels": lambda: lambda x: x.mean((2, 3)) * 0.4,
    "max pool of spikes": lambda: nn.MaxPool2d(2),
    "max pool, padded": lambda: nn.MaxPool2d(3, 2, 1),
    "max pool of scaled spikes": lambda: lambda x: F.max_pool2d(x * 0.7, 2),
    "max pool, dilated": lambda: nn.MaxPool2d(2, 1, dilation=2),
    "flatten, linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(96, 7)),
    "view, linear": lambda: nn.Sequential(Viewed(), nn.Linear(96, 7)),
    "zero padding": lambda: nn.ZeroPad2d((1, 0, 2, 1)),
    "cropping": lambda: lambda x: x[:, :, 1:-1, 2:],
    "permute": lambda: lambda x: x.permute(0, 1, 3, 2),
    "nearest upsampling": lambda: nn.Upsample(scale_factor=2),
    "upsampling, then conv": lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1)),
    "channels chosen": lambda: lambda x: x[:, [1, 0]],
    "channels split and cat": lambda: lambda x: torch.cat([part * 0.6 for part in x.chunk(2, 1)][::-1], 1),
    "sum": lambda: Branches(lambda x, a, b: a + b),
    "difference, factors": lambda: Branches(lambda x, a, b: 0.7 * a - b / 3 + 0.1),
    "in place": lambda: Branches(lambda x, a, b: a.add_(b).mul_(1.5)),
    "cat": lambda: Branches(lambda x, a, b: torch.cat([a, x, b], 1)),
    "skip": lambda: Branches(lambda x, a, b: torch.cat([a, b], 1)[:, 1:3] + x),
    "transposed conv": lambda: nn.ConvTranspose2d(2, 3, 2, stride=2),
}


class Viewed(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), -1)


def spikes_of(source, x):
    run = run_reference(source.graph, x.double().numpy(), dt=source.dt, steps=STEPS)
    (found,) = run.outputs.values()
    return torch.from_numpy(found)


def own_spikes(model, x):
    with torch.no_grad():
        return model.double()(x.double()).transpose(0, 1)


def checked(model, x):
    model.eval()
    source = source_of_module(model, x)
    own = own_spikes(model, x)
    assert 0.003 < own.mean() < 0.99
    assert torch.equal(spikes_of(source, x), own.reshape(len(x), STEPS, *spikes_of(source, x).shape[2:]))
    return source


@pytest.mark.parametrize("build", IMAGE_OPERATIONS.values(), ids=IMAGE_OPERATIONS)
def test_operation_on_images(build):
    x = torch.rand(4, 2, 6, 8, generator=torch.Generator().manual_seed(1))
    source = checked(Net(seeded(build)), x)
    assert source.verification.layers[0].spikes and not source.verification.ties


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Conv1d(3, 4, 3, padding=1, dilation=1),
        lambda: nn.Conv1d(3, 3, 4, padding="same", groups=3),
        lambda: nn.Linear(10, 5),  # along the last axis
        lambda: nn.BatchNorm1d(3),
        lambda: nn.AvgPool1d(2),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(30, 8), nn.BatchNorm1d(8)),
    ],
    ids=["conv", "same, groups", "linear", "norm", "pool", "dense norm"],
)
def test_operation_on_sequences(build):
    x = torch.rand(4, 3, 10, generator=torch.Generator().manual_seed(1)) * 2.5
    checked(Net(seeded(build)), x)


def test_names_are_the_modules_own():
    torch.manual_seed(0)
    source = source_of_module(Net(nn.Sequential(nn.Conv2d(2, 4, 3))), torch.rand(4, 2, 6, 8))
    assert {"input", "first", "operation.0", "second", "output"} <= set(source.graph.nodes)


def test_max_pool_over_currents_is_refused_and_rewritten():
    def pooled():
        torch.manual_seed(0)
        return Net(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2)))

    x = torch.rand(4, 2, 6, 8, generator=torch.Generator().manual_seed(1))
    with pytest.raises(UserError, match=r"operation\.1: max pooling over currents.*--rewrite max-pool=after-spikes"):
        source_of_module(pooled(), x)
    turned = Net(lambda x: F.max_pool2d(x * -0.7, 2))  # the largest is then the one that did not fire
    with pytest.raises(UserError, match="max pooling over currents"):
        source_of_module(turned, x)
    average = source_of_module(pooled(), x, rewrite={"max-pool": "average"})
    by_hand = pooled()
    by_hand.operation[1] = nn.AvgPool2d(2)
    assert torch.equal(spikes_of(average, x), own_spikes(by_hand, x))


def test_products_of_signals_are_refused():
    x = torch.rand(4, 2, 6, 8)
    with pytest.raises(UserError, match="product of two signals"):
        source_of_module(Net(Branches(lambda x, a, b: a * b)), x)
    with pytest.raises(UserError, match="ReLU"):
        source_of_module(Net(nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU())), x)
    norm = nn.BatchNorm2d(2, track_running_stats=False)
    with pytest.raises(UserError, match="without running statistics"):
        source_of_module(Net(norm), x)
