"""Checkpoints: what is written comes back, and nothing else gets in."""

import pickle
import zipfile

import numpy as np
import pytest
import torch

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint

SPEC = {"input_shape": (1, 8, 8), "classes": 10, "channels": [3, 4], "strides": [1, 2]}
INFO = {"dataset": "digits", "input_step": 1 / 16, "test_accuracy": 0.5}


def saved(path, **changes):
    torch.manual_seed(0)
    network = build_network(NetworkSpec(**{**SPEC, **changes}))
    network(torch.rand(8, 1, 8, 8))  # moves the batch norm's averages
    save_checkpoint(path, network, INFO)
    return network.eval()


@pytest.mark.parametrize("learn", ["both", "spatial", "temporal", "none"])
def test_a_network_comes_back_whole(tmp_path, learn):
    neuron = {"learn": learn, "activation": "sigmoid", "reset": "subtract", "alpha_init": 0.8, "beta_init": 0.3}
    network = saved(tmp_path / "m.pt", neuron=neuron, steps=3)
    back = load_checkpoint(tmp_path / "m.pt")
    assert back.info == INFO and back.spec == network.spec and not back.network.training
    x = torch.rand(5, 1, 8, 8)
    assert torch.equal(back.network(x), network(x))
    trainable = [name for name, parameter in back.network.named_parameters() if parameter.requires_grad]
    assert trainable == [name for name, _ in network.named_parameters()]
    back.network.train()(x).sum().backward()  # it can be trained further


def test_it_is_not_overwritten_unasked(tmp_path):
    saved(tmp_path / "m.pt")
    before = (tmp_path / "m.pt").read_bytes()
    with pytest.raises(UserError, match="already exists"):
        saved(tmp_path / "m.pt")
    assert (tmp_path / "m.pt").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def refused(path):
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text and len(text) < 400
    return text


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_is_named_and_never_run(tmp_path):
    ran = tmp_path / "ran"
    torch.save({"format": Evil(ran)}, tmp_path / "zip.pt")
    torch.save({"format": Evil(ran)}, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(build_network(NetworkSpec(**SPEC)), tmp_path / "module.pt")
    for name in ("zip.pt", "module.pt"):
        assert "holds code, which is never run" in refused(tmp_path / name)
    assert "may hold code and is never run" in refused(tmp_path / "legacy.pt")
    for protocol in range(6):
        (tmp_path / "p.pkl").write_bytes(pickle.dumps(Evil(ran), protocol))
        assert "never run" in refused(tmp_path / "p.pkl") or protocol < 2
    assert not ran.exists()


def test_other_files_are_refused(tmp_path):
    assert "no such file" in refused(tmp_path / "gone.pt")
    assert "folder" in refused(tmp_path)
    np.savez(tmp_path / "array.npz", input=np.ones(3))
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("array.npz", "text.zip", "text.pt", "empty.pt"):
        assert "truncated, or not a checkpoint" in refused(tmp_path / name)
    torch.save({"readout.weight": torch.ones(3)}, tmp_path / "weights.pt")
    assert "not a checkpoint of dalif-train" in refused(tmp_path / "weights.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    assert "code" in refused(tmp_path / "script.pt")


def test_damage_is_a_refusal_or_does_no_harm(tmp_path):
    saved(tmp_path / "m.pt")
    good = (tmp_path / "m.pt").read_bytes()
    for length in (1, 4, 64, len(good) // 2, len(good) - 1):
        (tmp_path / "cut.pt").write_bytes(good[:length])
        assert "truncated" in refused(tmp_path / "cut.pt")
    rng = np.random.default_rng(0)
    refusals = 0
    for _ in range(60):
        damaged = bytearray(good)
        damaged[int(rng.integers(len(good)))] ^= 1 << int(rng.integers(8))
        (tmp_path / "bit.pt").write_bytes(bytes(damaged))
        try:
            load_checkpoint(tmp_path / "bit.pt")
        except UserError:
            refusals += 1
    assert refusals > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["state"]["readout.weight"].fill_(float("nan")), "readout.weight holds NaN"),
        (
            lambda c: c["state"]["layers.block2.neuron.tau_b"].fill_(float("inf")),
            "layers.block2.neuron.tau_b holds NaN or inf",
        ),
        (
            lambda c: c["state"]["layers.block1.branches.0.norm.running_var"].fill_(-1),
            "layers.block1.branches.0.norm.running_var holds a negative",
        ),
        (lambda c: c["state"].update(gelu=torch.ones(1)), "unknown layer gelu"),
        (
            lambda c: c["state"].pop("layers.block1.branches.0.linear.weight"),
            "missing layer layers.block1.branches.0.linear.weight",
        ),
        (lambda c: c["state"].update({"readout.bias": torch.zeros(9)}), "readout.bias does not fit"),
        (lambda c: c["state"].update({"readout.bias": torch.zeros(10).double()}), "readout.bias does not fit"),
        (lambda c: c["state"].update({"readout.bias": torch.zeros(1).expand(10)}), "readout.bias does not fit"),
        (lambda c: c["state"].update({"readout.bias": torch.zeros(10).to_sparse()}), "tensors of a kind"),
        (lambda c: c["state"].update({"readout.bias": [0.0] * 10}), "readout.bias does not fit"),
        (lambda c: c["spec"].update(arch="transformer"), "arch"),
        (lambda c: c["spec"].update(attention=4), "attention"),
        (lambda c: c["spec"].update(strides=[1]), "2 channels and 1 strides"),
        (lambda c: c["spec"]["neuron"].update(beta_init=5.0), "does not reach a decay of 5.0"),
        (lambda c: c["spec"]["neuron"].update(v_threshold=float("nan")), "v_threshold"),
        (lambda c: c["spec"].update(channels=[65536] * 2, input_shape=[65536] * 3), "not fit|missing|too large"),
        (lambda c: c["spec"].update(input_shape=[1, 65536, 65536], classes=100_000), "not fit|too large"),
        (lambda c: c.pop("spec"), "not a whole checkpoint"),
        (lambda c: c.update(state=[1]), "not a whole checkpoint"),
        (lambda c: c.update(format="somebody's checkpoint 7"), "not a checkpoint of dalif-train"),
        (lambda c: c["info"].update(input_step=float("nan")), "input_step"),
        (lambda c: c["info"].update(dataset=3), "dataset"),
    ],
)
def test_contents_that_make_no_network_are_named(tmp_path, change, words):
    saved(tmp_path / "m.pt")
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    change(content)
    torch.save(content, tmp_path / "m.pt")
    text = refused(tmp_path / "m.pt")
    assert any(word in text for word in words.split("|")), text
