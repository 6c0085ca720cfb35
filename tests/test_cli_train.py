"""dalif-train as a process: files, exit codes, one-line errors."""

import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from tests.commands_here import run_here

COMMAND = [sys.executable, "-c", "from dalif_deploy.cli.train import main; main()"]
SMALL = ["--channels", "3", "--epochs", "1", "--steps", "2"]


def run(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=200)


def test_it_trains_as_told_and_prints_json_alone_on_standard_output(tmp_path):
    options = ["--channels", "3,4", "--strides", "2,1", "--epochs", "1", "--steps", "2", "--batch-size", "32"]
    options += ["--lr", "0.004", "--activation", "clamp", "--learn", "temporal", "--reset", "subtract"]
    result = run("--out", tmp_path / "x", *options, "--surrogate", "triangle", "--seed", "9", "--json", "-")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    written = json.loads((tmp_path / "x" / "metrics.json").read_text())
    assert written.pop("files").keys() == {"model.pt", "metrics.jsonl"} and "dalif-deploy" in printed.pop("mark")
    assert printed == written
    told = printed["config"]
    assert (told["channels"], told["strides"], told["steps"], told["batch_size"]) == ([3, 4], [2, 1], 2, 32)
    assert (told["lr"], told["seed"], told["dataset"]) == (0.004, 9, "digits")
    neuron = told["neuron"]
    assert (neuron["activation"], neuron["learn"], neuron["reset"]) == ("clamp", "temporal", "subtract")
    assert neuron["surrogate"] == "triangle"
    assert "epoch 1" in result.stderr and "test accuracy" in result.stderr


def test_nothing_is_overwritten_unasked(tmp_path, capfd):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine.txt").write_text("keep")
    (tmp_path / "m.json").write_text("keep")
    for options in (["--out", tmp_path / "x"], ["--out", tmp_path / "y", "--json", tmp_path / "m.json"]):
        result = run_here(["dalif-train", *options, *SMALL], capfd)
        assert result.returncode == 2 and "already exists" in result.stderr and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "x"]
    assert "mine.txt" in run("--out", tmp_path / "x", *SMALL, "--force").stderr
    (tmp_path / "x" / "mine.txt").unlink()
    assert run("--out", tmp_path / "x", *SMALL, "--force").returncode == 0
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["metrics.json", "metrics.jsonl", "model.pt"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataset", "cifar"], ["--dataset", "digits", "fashion-mnist"]),
        (["--arch", "transformer"], ["--arch", "cnn", "resnet"]),
        (["--activation", "relu"], ["--activation", "tanh"]),
        (["--seed", "-1"], ["--seed"]),
        (["--channels", "4,4", "--strides", "1"], ["2 channels and 1 strides"]),
        (["--channels", "many"], ["--channels", "16,32"]),
        (["--channels", "100000"], ["--channels", "65536"]),
        (["--lr", "nan"], ["--lr"]),
        (["--batch-size", "5000"], ["--batch-size"]),
    ],
)
def test_a_bad_option_is_named_in_one_line(tmp_path, options, words, capfd):
    result = run_here(["dalif-train", "--out", tmp_path / "x", *options], capfd)
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path):
    result = run("--out", tmp_path / "x", "--arch", "transformer", "--debug")
    assert result.returncode != 0 and "Traceback" in result.stderr


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from_and_no_half_result(tmp_path):
    options = ["--epochs", "5000", "--channels", "3", "--steps", "2", "--lr", "0.004"]
    # a suite that was started in the background ignores SIGINT, and so would its children
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [*COMMAND, "--out", str(tmp_path / "x"), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    try:
        assert "epoch 1" in process.stderr.readline()
        assert "epoch 2" in process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["x.training"]
    assert (tmp_path / "x.training" / "checkpoint.pt").is_file()
    # what it was begun with stays unless told otherwise, and then it is named
    assert json.loads(run("--out", tmp_path / "x", "--resume", "--print-config").stdout)["lr"] == 0.004
    result = run("--out", tmp_path / "x", "--resume", "--steps", "3")
    assert result.returncode == 2 and "steps 2, not 3" in result.stderr and result.stderr.count("\n") == 1
