"""Two processes train what one does: torchrun with gloo, on this machine."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.evaluation import evaluate
from dalif_deploy.training.global_batch_norm import make_batch_norms_global
from dalif_deploy.training.processes import OneProcess

MODULE = ["-m", "dalif_deploy.cli.train"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
TET = ["--loss", "tet", "--tet-lambda", "0.05", "--optimizer", "sgd", "--nesterov", "--lr", "0.1", "--flip"]
TET += ["--teacher", "zoo:digits", "--teacher-weight", "0.5"]
QUANTIZE = ["--quantize", "loihi2", "--weight-bits", "4"]


def run(launcher, out, options):
    small = ["--channels", "4,6", "--strides", "2,1", "--epochs", "2", "--steps", "2", "--batch-size", "128"]
    command = [*launcher, *MODULE, "--out", str(out), *small, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=250, env=environment)
    return result, json.loads((out / "metrics.json").read_text()) if (out / "metrics.json").exists() else None


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [[], TET, QUANTIZE], ids=["default", "tet", "quantize"])
def test_two_processes_give_the_losses_of_one(tmp_path, recipe):
    one, single = run([sys.executable], tmp_path / "one", recipe)
    two, double = run(TORCHRUN, tmp_path / "two", recipe)
    assert one.returncode == 0 and two.returncode == 0, one.stderr + two.stderr
    assert double["config"] == single["config"]
    # rounding alone: the order of sums differs, and with it, at times, a spike whose membrane was at the threshold
    for key, tolerance in (("loss", 1e-4), ("training_accuracy", 3 / 1408), ("alpha", 1e-3), ("beta", 1e-3)):
        found, wanted = ([epoch[key] for epoch in metrics["epochs"]] for metrics in (double, single))
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
    assert double["epochs"][0]["loss"] != double["epochs"][1]["loss"]
    # one process wrote, and what the two counted together is what one counts alone
    assert two.stdout.count("test accuracy") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    network = load_checkpoint(tmp_path / "two" / "model.pt").network
    assert evaluate(network, load_data("digits:test")) == double["test_accuracy"]


@pytest.mark.slow
def test_an_error_is_said_once(tmp_path):
    result, metrics = run(TORCHRUN, tmp_path / "out", ["--batch-size", "65"])
    told = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode != 0 and metrics is None
    assert len(told) == 1, result.stderr


def test_what_one_process_alone_finds_is_said_later(monkeypatch, capsys):
    from dalif_deploy.cli import command, one_error

    waited = []
    monkeypatch.setattr(one_error.time, "sleep", waited.append)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "7")

    def fails():
        raise UserError("this machine has no such file")

    for rank, local in ((0, 0), (2, 0), (3, 1)):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(local))
        with pytest.raises(SystemExit):
            command.run_command(fails, [])
        assert capsys.readouterr().err == "error: this machine has no such file\n"
    assert waited == [one_error.SECONDS, 2 * one_error.SECONDS]


def test_a_batch_that_cannot_be_shared_equally_is_refused(tmp_path, monkeypatch):
    processes = OneProcess()
    processes.count = 2
    monkeypatch.setattr(sys.modules["dalif_deploy.training.training_run"], "this_process", lambda *_: processes)
    config = TrainConfig(dataset="digits", channels=[4], strides=[2], epochs=1, batch_size=65, lr=1e-3)
    with pytest.raises(UserError, match="--batch-size: 65 images can't be shared equally by 2 processes"):
        train(config, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3)
        self.dense, self.norm1 = torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)

    def forward(self, x):
        x = torch.tanh(self.norm(self.conv(x))).mean((2, 3))
        return self.norm1(self.dense(x)).pow(3)


def trained_step(network, x):
    network(x).mean().backward()
    return [p.grad for p in network.parameters()], list(network.buffers())


def _process(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    network = Plain().double()
    make_batch_norms_global(network)
    x = torch.load(f"{folder}/x.pt")
    gradients, buffers = trained_step(network, x[4 * rank : 4 * rank + 4])
    for gradient in gradients:
        dist.all_reduce(gradient)
    outcome = [g / 2 for g in gradients], buffers, network.eval()(x)
    torch.save(outcome, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_global_batch_norm_is_batch_norm_of_both_halves(tmp_path):
    x = torch.randn(8, 2, 5, 5, dtype=torch.float64) * 3 + torch.arange(8).view(8, 1, 1, 1)  # halves that differ
    torch.save(x, tmp_path / "x.pt")
    network = Plain().double()
    gradients, buffers = trained_step(network, x)
    mp.spawn(_process, (str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        found, averages, answers = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(found, gradients)
        torch.testing.assert_close(averages, buffers)
        torch.testing.assert_close(answers, network.eval()(x))
    # and a half alone is not the whole
    assert not torch.allclose(trained_step(Plain().double(), x[:4])[0][0], gradients[0])
