"""Hardware-aware training: the forward pass is the exported network's, the gradient the neuron's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.lava.lava_session import run_lava
from dalif_deploy.data import load_data
from dalif_deploy.hardware_aware import ChipForward, ChipTarget
from dalif_deploy.hardware_aware.chip_sequence import ChipSequence
from dalif_deploy.hw_models.arithmetic.lava.exactness import Bounds
from dalif_deploy.hw_models.arithmetic.lava.population_state import PopulationState
from dalif_deploy.hw_models.chip_network.form import Population
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.networks import NetworkSpec, NeuronSpec
from dalif_deploy.neuron import DALIF
from dalif_deploy.neuron.steps import Rule
from dalif_deploy.training import TrainConfig, train
from tests.test_architectures import lively

CNN = {"arch": "cnn", "channels": [4, 6], "strides": [1, 2], "input_shape": (2, 9, 8)}
RESNET = {"arch": "resnet", "channels": [4, 6], "strides": [1, 2], "input_shape": (1, 8, 8)}
VGG = {"arch": "vgg11", "width": 1 / 16, "input_shape": (1, 32, 32)}
SEW = {"arch": "sew-resnet18", "width": 1 / 16, "input_shape": (3, 33, 32)}
CASES = [
    (CNN, "loihi2", "graded", 8, "zero", "layer"),
    (CNN, "loihi2", "graded", 3, "subtract", "channel"),
    (CNN, "loihi1", "bias", 4, "zero", "channel"),
    (RESNET, "loihi2", "bias", 5, "zero", "layer"),
    (VGG, "loihi2", "graded", 4, "zero", "channel"),
    (SEW, "loihi2", "graded", 6, "zero", "layer"),
]


def network_of(shape, reset="zero", steps=3):
    spec = NetworkSpec(classes=5, steps=steps, neuron=NeuronSpec(reset=reset, beta_init=0.7), **shape)
    return lively(spec).float()


@pytest.mark.parametrize(("shape", "chip", "mode", "bits", "reset", "group"), CASES)
@torch.no_grad()
def test_spikes_and_logits_are_those_of_the_exported_network(shape, chip, mode, bits, reset, group):
    network = network_of(shape, reset)
    forward = ChipForward(network, ChipTarget(chip, mode, 1 / 16, weight_bits=bits, scale_group=group)).eval()
    still = torch.randint(0, 17, (3, *shape["input_shape"])) / 16
    given = [still] if mode == "bias" else [still, torch.randint(0, 17, (4, 3, *shape["input_shape"])) / 16]
    for x in given:
        logits, fired = forward.forward_recorded(x)
        compiled = forward.compiled(len(x) if x.ndim == 5 else None)
        run = simulate(compiled, encode_input(compiled, (x.transpose(0, 1) if x.ndim == 5 else x).numpy()))
        assert fired.keys() == network.layers.keys()
        for name, spikes in fired.items():
            np.testing.assert_array_equal(spikes.transpose(0, 1).numpy(), run.spikes[name], err_msg=name)
        assert 0.01 < torch.cat([s.flatten() for s in fired.values()]).mean() < 0.9
        (output,), (name,) = run.outputs.values(), (o.population for o in compiled.outputs.values())
        wanted = output / compiled.populations[name].scale / compiled.steps
        np.testing.assert_allclose(logits.numpy(), wanted, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(forward(x), logits)
        assert {p.weight.dtype for p in compiled.projections.values()} == {np.dtype(np.int16)}


@torch.no_grad()
def test_spikes_are_those_of_lava(lava):
    network = network_of(CNN)
    forward = ChipForward(network, ChipTarget("loihi2", "graded", 1 / 16, weight_bits=4)).eval()
    x = torch.randint(0, 17, (3, *CNN["input_shape"])) / 16
    _, fired = forward.forward_recorded(x)
    compiled = forward.compiled()
    run = run_lava(compiled, encode_input(compiled, x.numpy()), step_limit_seconds=60)
    for name, spikes in fired.items():
        np.testing.assert_array_equal(spikes.transpose(0, 1).numpy(), run.spikes[name])
        assert spikes.any()


def test_weights_that_change_are_compiled_anew():
    network = network_of(CNN)
    forward = ChipForward(network, ChipTarget("loihi2", "graded")).eval()
    x = torch.rand(2, *CNN["input_shape"])
    before, same = forward(x), forward(x)
    assert torch.equal(before, same)
    with torch.no_grad():
        next(network.parameters()).mul_(-1)
    assert not torch.equal(before, forward(x))


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_the_gradient_is_that_of_autograd_straight_through_the_chips_arithmetic(reset):
    """Against float64 autograd through truncation and reset written out one by one."""
    torch.manual_seed(0)
    scale, dv, vth, steps = 6400.0, 1200, 100, 5
    drive = torch.randint(-3000, 9000, (steps, 4, 6))
    population = Population(
        "p", (6,), np.array(4095), np.array(dv), np.array(vth), np.array(0), np.array(0), reset=reset,
        scale=np.array(scale),
    )  # fmt: skip
    bounds = Bounds(9000, 9000, 50_000, 0)
    weight = torch.rand(steps, 4, 6)
    beta = torch.tensor(1 - dv / 4096, requires_grad=True)
    current = (drive / scale).requires_grad_()
    rule = Rule(vth * 64 / scale, reset, "atan", 1.3)
    spikes = ChipSequence.apply(
        current, beta, drive / 4096, lambda: PopulationState(population, bounds, 4, torch.device("cpu")),
        torch.tensor(scale), rule,
    )  # fmt: skip
    (spikes * weight).sum().backward()

    x, b = (drive.double() / scale).requires_grad_(), torch.tensor(1 - dv / 4096, dtype=torch.double).requires_grad_()
    h, loss, v_int = torch.zeros(4, 6).double(), 0.0, torch.zeros(4, 6, dtype=torch.int64)
    for t in range(steps):
        v_int = torch.trunc(v_int * (4096 - dv) / 4096).to(torch.int64) + drive[t]
        v = b * h + x[t]
        v = v + (v_int / scale - v).detach()
        s = (v_int > vth * 64).double()
        assert torch.equal(s.float(), spikes[t])
        u = (v - rule.v_threshold) / rule.width
        loss = loss + (weight[t] * (torch.atan(torch.pi * u) / torch.pi)).sum()  # the surrogate's primitive
        h = v * (1 - s) if reset == "zero" else v - rule.v_threshold * s
        v_int = torch.where(s > 0, 0 if reset == "zero" else v_int - vth * 64, v_int)
    loss.backward()
    assert 0.1 < spikes.mean() < 0.9
    torch.testing.assert_close(current.grad.double(), x.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(beta.grad.double(), b.grad, rtol=1e-4, atol=1e-5)


def test_at_eight_bits_gradients_point_where_the_float_networks_do():
    # one layer: in deeper ones of random weights each spike that rounding moves is amplified
    network = network_of({"channels": [16], "strides": [2], "input_shape": (1, 8, 8)})
    x, y = torch.randint(0, 17, (64, 1, 8, 8)) / 16, torch.arange(64) % 5
    grads = []
    for model in (network, ChipForward(network, ChipTarget("loihi2", "graded", 1 / 16)).eval()):
        network.zero_grad()
        F.cross_entropy(model(x), y).backward()
        assert all(p.grad is not None for p in network.parameters())
        grads.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert F.cosine_similarity(*grads, dim=0) > 0.9


def test_batch_norm_keeps_its_averages_while_the_chip_computes():
    network = network_of(CNN)
    forward = ChipForward(network, ChipTarget("loihi2", "graded")).train()
    before = {name: b.clone() for name, b in network.named_buffers()}
    forward(torch.rand(2, *CNN["input_shape"])).sum().backward()
    assert all(torch.equal(b, before[name]) for name, b in network.named_buffers())
    forward.active = False
    forward.train()
    forward(torch.rand(2, *CNN["input_shape"]))
    assert not all(torch.equal(b, before[name]) for name, b in network.named_buffers())


SMALL = {"dataset": "digits", "channels": [6, 8], "strides": [2, 1], "steps": 2, "batch_size": 128, "lr": 1e-2}


def test_trained_so_the_exported_network_has_the_accuracy_that_training_ended_with(tmp_path):
    config = TrainConfig(**SMALL, epochs=4, quantize="loihi2", weight_bits=4, scale_group="channel", quantize_epochs=2)
    metrics = train(config, tmp_path / "run")
    assert [epoch["arithmetic"] for epoch in metrics["epochs"]] == ["float", "float", "loihi2", "loihi2"]
    # chip and bits are those that it was trained for, unless told others
    artefact = export_network(tmp_path / "run" / "model.pt", "lava", tmp_path / "out")
    assert artefact.export["chip"] == "loihi2" and artefact.export["weight_bits"] == 4
    assert artefact.export["scale_rule"] == {"name": "worst", "group": "channel"}
    test = load_data("digits:test")
    run = simulate(artefact.network, encode_input(artefact.network, test.inputs))
    (output,) = run.outputs.values()
    assert (output.argmax(1) == test.labels).mean() == metrics["test_accuracy"] > 0.3
    other = export_network(
        tmp_path / "run" / "model.pt", "lava", tmp_path / "other", request=ExportRequest(chip="loihi1", weight_bits=8)
    )
    assert other.export["chip"] == "loihi1" and other.export["weight_bits"] == 8


def test_options_that_do_not_go_together_are_refused():
    for options, message in (
        ({"weight_bits": 4}, "need quantize"),
        ({"quantize_epochs": 1}, "need quantize"),
        ({"quantize": "loihi2", "epochs": 1}, "at least one epoch before"),
        ({"quantize": "loihi2", "quantize_epochs": 3}, "at least one epoch before"),
        ({"quantize": "loihi3"}, "loihi2"),
        ({"quantize": "loihi2", "weight_bits": 9}, "less than or equal to 8"),
    ):
        with pytest.raises(ValueError, match=message):
            TrainConfig(**{**SMALL, "epochs": 3, **options})
    assert TrainConfig(**SMALL, epochs=5, quantize="loihi1").float_epochs == 3


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "clamp"])
def test_beta_is_put_back_into_what_a_register_holds(activation):
    neuron = DALIF(activation=activation)
    for value in (-30.0, -0.5, 0.2, 30.0):
        with torch.no_grad():
            neuron.tau_b.fill_(value)
        neuron.keep_beta_a_decay()
        assert 0 <= neuron.beta <= 1 - 2**-12 + 1e-6
        if value == 0.2:
            assert neuron.tau_b == torch.tensor(0.2)
    fixed = DALIF(learn="spatial", beta_init=1.0)
    fixed.keep_beta_a_decay()
    assert fixed.beta == 1


def test_training_keeps_betas_decays(tmp_path):
    # a rate at which they would leave the range at once
    metrics = train(TrainConfig(**{**SMALL, "lr": 0.5, "steps": 4}, epochs=1), tmp_path / "run")
    assert all(0 <= beta < 1 for beta in metrics["epochs"][-1]["beta"])
