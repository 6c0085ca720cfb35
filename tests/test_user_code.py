"""dalif-export FILE.py:NAME: a network in a person's own code."""

import json
from pathlib import Path

import pytest
import torch

from dalif_deploy.converters.capture.user_code import load_user_module, names_user_code
from dalif_deploy.hw_models.errors import UserError
from tests.commands_here import run_here

CODE = """
import torch
from torch import nn
from dalif_deploy.neuron import DALIF
from neighbour import HIDDEN

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.one = nn.Linear(64, HIDDEN), DALIF(v_threshold=0.3)
        self.fc2 = nn.Linear(HIDDEN, 10)
    def forward(self, x):
        spikes = self.one(self.fc1(x.flatten(1)).expand(4, -1, -1))
        return self.fc2(spikes).mean(0)

def build():
    return Net()

made = Net()
number = 3
def fails():
    raise RuntimeError("no such thing")
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "mynet.py").write_text(CODE)
    (tmp_path / "neighbour.py").write_text("HIDDEN = 20\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["build", "Net", "made"])
def test_function_class_and_module_are_taken(code, name):
    module = load_user_module(f"mynet.py:{name}")
    assert type(module).__name__ == "Net" and not module.training


def test_module_path_and_weights(code):
    state = {key: value + 1 for key, value in load_user_module("mynet.py:build").state_dict().items()}
    torch.save({"state_dict": state}, "trained.pt")
    module = load_user_module("mynet:build", "trained.pt")
    torch.testing.assert_close(module.fc1.bias, state["fc1.bias"])


def test_names_and_files_are_told_apart(code):
    assert names_user_code("mynet.py:build") and names_user_code("package.module:NAME")
    assert not names_user_code("model.pt") and not names_user_code("runs/x/model.pt")
    Path("odd:name").touch()
    assert not names_user_code("odd:name")


def test_faults_are_one_line(code):
    for model, words in {
        "mynet.py:nothing": "has no 'nothing'; choose one of",
        "mynet.py:number": "'number' is a int",
        "mynet.py:fails": "fails\\(\\) failed: RuntimeError: no such thing",
        "missing.py:build": "no such file",
        "missing:build": "no such module",
    }.items():
        with pytest.raises(UserError, match=words):
            load_user_module(model)
    torch.save({"other": torch.zeros(2)}, "other.pt")
    with pytest.raises(UserError, match="weights of another network"):
        load_user_module("mynet.py:build", "other.pt")
    Path("text.pt").write_text("no weights")
    with pytest.raises(UserError, match="can't be read as weights"):
        load_user_module("mynet.py:build", "text.pt")


def test_command(code, capfd):
    asked = ["dalif-export", "mynet.py:build", "--target", "lava", "-o"]
    result = run_here([*asked, "out", "--example", "digits:test", "--json", "e.json"], capfd)
    assert result.returncode == 0, result.stderr
    assert "running your own code: mynet.py:build" in result.stderr
    export = json.loads(Path("e.json").read_text())
    assert export["verification"]["layers"][0]["layer"] == "one" and export["source"]["file"] == "Net"
    result = run_here([*asked, "out2"], capfd)
    assert result.returncode == 2 and "give --example" in result.stderr
