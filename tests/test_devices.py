"""Everything that computes on a device, on a second one that no operation mixes with the CPU."""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import dalif_deploy
from dalif_deploy.converters.file_digest import file_digest
from dalif_deploy.data import load_data
from dalif_deploy.exploration.point import PointWork
from dalif_deploy.exploration.sweep_source import sweep_source
from dalif_deploy.hardware_aware import ChipForward, ChipTarget
from dalif_deploy.hw_models.arithmetic.observation import Observation
from dalif_deploy.hw_models.devices import chosen_device
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.simulator import batched, simulate
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from dalif_deploy.simulation.energy_session import report_on_samples
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.fit import keep_betas_decays
from dalif_deploy.training.losses import loss_and_logits
from dalif_deploy.training.optimization import make_optimizer
from dalif_deploy.training.processes import OneProcess, this_process
from tests.chip_networks import random_network
from tests.second_device import DEVICE, Far, SecondDevice
from tests.test_architectures import lively

RECIPES = [
    {"shift": 1, "flip": True, "crop_padding": 1, "cutout": 2},
    {
        "loss": "tet",
        "tet_lambda": 0.1,
        "optimizer": "sgd",
        "nesterov": True,
        "neuron": {"reset": "subtract"},
        "teacher": "zoo:digits",
        "batch_size": 128,
    },
    {"arch": "resnet", "quantize": "loihi2", "weight_bits": 4, "scale_group": "channel"},
    {"recurrent": True, "neuron": {"decays_per": "channel", "learn_threshold": True}},
    {"quantize": "loihi2", "neuron": {"learn": "none"}, "epochs": 3, "quantize_epochs": 2},
]


def config(**changes):
    small = {"channels": [3, 4], "strides": [2, 1], "epochs": 2, "batch_size": 256, "lr": 5e-3, "steps": 2}
    return TrainConfig(dataset="digits", **{**small, **changes})


def train_far(monkeypatch, *arguments, **options):
    """`train`, as in a process whose device is the second one."""
    with monkeypatch.context() as patch, SecondDevice():
        module = sys.modules["dalif_deploy.training.training_run"]
        patch.setattr(module, "this_process", lambda *_: OneProcess(DEVICE))
        return train(*arguments, **options)


def without_seconds(metrics):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in metrics["epochs"]]


def test_the_second_device_is_one():
    near = torch.ones(3)
    with SecondDevice():
        far = near.to(DEVICE)
        assert isinstance(far, Far) and isinstance(far + torch.tensor(1.0), Far) and not isinstance(near + 1, Far)
        for mixed in (lambda: far + near, lambda: near.mul_(far), lambda: torch.add(far, 1, out=near)):
            with pytest.raises(RuntimeError, match="two devices"):
                mixed()
        with pytest.raises((RuntimeError, TypeError)):
            far.numpy()
        view = far[1:]
        view.mul_(5)
        assert far.cpu().tolist() == [1, 5, 5] and torch.empty(2, device=DEVICE).device == DEVICE


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_on_another_device_is_the_same(tmp_path, monkeypatch, recipe):
    far = train_far(monkeypatch, config(**recipe), tmp_path / "far")
    near = train(config(**recipe), tmp_path / "near")
    assert without_seconds(far) == without_seconds(near)
    one, other = (load_checkpoint(tmp_path / name / "model.pt").network.state_dict() for name in ("far", "near"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_checkpoint_of_one_device_goes_on_on_another(tmp_path, monkeypatch):
    whole = train(config(quantize="loihi2", optimizer="adamw"), tmp_path / "whole")
    for first, second in (("far", "near"), ("near", "far")):
        out = tmp_path / first
        run = {"far": lambda *a, **k: train_far(monkeypatch, *a, **k), "near": train}
        fit_module = sys.modules["dalif_deploy.training.fit"]
        with monkeypatch.context() as patch:  # stopped in the second epoch
            calls = []

            def stop(network, seen=calls):
                seen.append(network)
                if len(seen) == 8:
                    raise KeyboardInterrupt

            patch.setattr(fit_module, "keep_betas_decays", stop)
            with pytest.raises(KeyboardInterrupt):
                run[first](config(quantize="loihi2", optimizer="adamw"), out, checkpoint_every=1)
        found = run[second](config(quantize="loihi2", optimizer="adamw"), out, resume=True)
        assert [epoch["test_accuracy"] for epoch in found["epochs"]] == [
            epoch["test_accuracy"] for epoch in whole["epochs"]
        ]


@pytest.mark.parametrize("arch", [{"arch": "resnet", "channels": [4, 5], "strides": [1, 2]},
                                  {"arch": "vgg11", "width": 1 / 16}, {"arch": "sew-resnet18", "width": 1 / 16},
                                  {"arch": "resnet19", "width": 1 / 32}])  # fmt: skip
def test_torchs_own_meta_device_takes_a_whole_step(arch):
    spec = NetworkSpec(input_shape=(3, 32, 32), classes=5, steps=2, **arch)
    network = build_network(spec).to("meta")
    optimizer = make_optimizer(network, config(optimizer="sgd"))
    for shape in ((4, 3, 32, 32), (3, 4, 3, 32, 32)):
        for loss in ({}, {"loss": "tet"}):
            x, y = torch.empty(shape, device="meta"), torch.ones(4, dtype=int, device="meta")
            value, _ = loss_and_logits(network, x, y, config(**loss))
            value.backward()
            optimizer.step()
            keep_betas_decays(network)
    assert {p.grad.device.type for p in network.parameters()} == {"meta"}


@pytest.mark.parametrize("seed", range(12))
def test_the_simulator_gives_the_same_bits_on_another_device(seed):
    network, encoded = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
    kinds = ("spikes", "membrane", "counts")
    seen = Observation.empty(network), Observation.empty(network)
    near = simulate(network, encoded, record=kinds, observation=seen[0])
    with SecondDevice():
        far = simulate(network, encoded, record=kinds, observation=seen[1], device=DEVICE)
        plain = simulate(network, encoded, record=kinds, device=DEVICE)
    for kind in (*kinds, "outputs"):
        for name, values in getattr(near, kind).items():
            np.testing.assert_array_equal(getattr(far, kind)[name], values)
            np.testing.assert_array_equal(getattr(plain, kind)[name], values)
    for name, counts in seen[0].populations.items():
        for item, value in vars(counts).items():
            np.testing.assert_array_equal(vars(seen[1].populations[name])[item], value)


@pytest.mark.parametrize("seed", range(4))
def test_autocast_does_not_reach_the_integers(seed):
    network, encoded = random_network(np.random.default_rng(seed))
    exact = simulate(network, encoded)
    with torch.autocast("cpu", torch.bfloat16):
        found = simulate(network, encoded)
    for name, values in exact.membrane.items():
        np.testing.assert_array_equal(found.membrane[name], values)


def test_commands_count_on_the_device_that_they_are_told(tmp_path, monkeypatch):
    spec = NetworkSpec(channels=[4, 6], strides=[1, 2], input_shape=(1, 8, 8), classes=10, steps=3)
    save_checkpoint(tmp_path / "model.pt", lively(spec).float(), {"dataset": "digits", "input_step": 1 / 16})
    artefact = dalif_deploy.export(tmp_path / "model.pt", out=tmp_path / "exported", chip="loihi2")
    data = load_data("digits:test")
    inputs, devices = data.inputs[:20], []

    def figures(device):
        request = SimulationRequest(options={"device": device})
        found = simulate_samples(artefact, inputs, data.labels[:20], request)
        report, _ = report_on_samples(artefact, inputs, device=device)
        asked = {"data": "digits:test", "limit": 20, "batch_size": None, "data_root": None, "threads": 1}
        digest = file_digest(tmp_path / "model.pt")
        work = PointWork(sweep_source(tmp_path / "model.pt"), digest, device=device, folder=tmp_path, **asked)
        return found.predicted, found.firing_rate, report.counts.model_dump(), work({"weight-bits": 4})

    near = figures("cpu")
    assert near[3]["status"] == "done" and sum(near[1].values()) > 0
    true_simulate = batched.Session.__init__
    monkeypatch.setattr(
        batched.Session, "__init__", lambda self, *a: (devices.append(a[-1]), true_simulate(self, *a))[1]
    )
    true = chosen_device
    for module in ("dalif_deploy.hw_models.devices", "dalif_deploy.simulation.energy_session"):
        monkeypatch.setattr(sys.modules[module], "chosen_device", lambda name: DEVICE if name == "far" else true(name))
    with SecondDevice():
        assert figures("far") == near
    assert devices.count(DEVICE) == 4  # the engine, the report's counts, and both of a sweep's point
    with pytest.raises(UserError, match="unknown device 'gpu'"):
        figures("gpu")


def test_autocast_does_not_reach_the_chips_forward_pass():
    spec = NetworkSpec(channels=[4, 6], strides=[1, 2], input_shape=(2, 9, 8), classes=5, steps=3)
    forward = ChipForward(lively(spec).float(), ChipTarget("loihi2", "graded", 1 / 16, weight_bits=5)).eval()
    x = torch.randint(0, 17, (3, 2, 9, 8)) / 16
    _, exact = forward.forward_recorded(x)
    with torch.autocast("cpu", torch.bfloat16):
        logits, found = forward.forward_recorded(x)
        F.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    assert all(torch.equal(found[name], exact[name]) for name in exact)


@pytest.mark.parametrize("changes", [{}, {"quantize": "loihi2"}])
def test_mixed_precision_trains_and_its_chip_is_exact(tmp_path, changes):
    options = {"epochs": 6, "channels": [8, 16], "strides": [1, 2], "batch_size": 64, **changes}
    full = train(config(**options), tmp_path / "full")
    mixed = train(config(precision="bf16-mixed", **options), tmp_path / "mixed")
    assert mixed["epochs"][0]["loss"] != full["epochs"][0]["loss"]
    assert mixed["test_accuracy"] > full["test_accuracy"] - 0.03 > 0.5
    checkpoint = load_checkpoint(tmp_path / "mixed" / "model.pt")
    assert {p.dtype for p in checkpoint.network.parameters()} == {torch.float32}
    if changes:  # the accuracy that the training ended with is the compiled network's
        data = load_data("digits:test")
        forward = ChipForward(checkpoint.network, ChipTarget("loihi2", "graded", data.step)).eval()
        with torch.no_grad():
            right = (forward(torch.from_numpy(data.inputs)).argmax(1).numpy() == data.labels).mean()
        assert right == mixed["test_accuracy"]


def test_workers_that_read_ahead_change_nothing(tmp_path):
    found = [train(config(), tmp_path / str(workers), workers=workers) for workers in (0, 2)]
    assert without_seconds(found[0]) == without_seconds(found[1])


@pytest.mark.parametrize(("name", "says"), [
    ("cuda", "--device cuda: "), ("cuda:3", "--device cuda:3: "), ("mps", "--device mps: no Apple GPU"),
    ("gpu", "--device: unknown device 'gpu'"), ("cuda:x", "unknown device"), ("cuda:", "unknown device"),
    ("cpu:0", "unknown device"), ("", "unknown device"),
])  # fmt: skip
def test_a_device_that_is_not_there_is_one_line(name, says, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=says) as told:
        chosen_device(name)
    assert "\n" not in str(told.value)


def test_auto_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert chosen_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_device("auto") == torch.device("cuda") and chosen_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UserError, match="there are 2 GPUs, counted from 0"):
        chosen_device("cuda:2")


def test_half_floats_need_a_gpu_and_several_processes_no_number(monkeypatch):
    with pytest.raises(UserError, match="--precision 16-mixed: a CPU can't train in 16-bit floats"):
        this_process(torch.device("cpu"), "16-mixed")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UserError, match="--device cuda:1: several processes can't share one GPU"):
        this_process(torch.device("cuda:1"))
