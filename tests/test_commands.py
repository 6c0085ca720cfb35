"""The real commands, as processes: what they write, and what they say of bad input."""

import hashlib
import json
import pickle
import subprocess
import sys
import zipfile

import nir
import numpy as np
import pytest
import torch

from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from tests.commands_here import run_here

pytestmark = pytest.mark.timeout(300)


def run(command, *arguments, cwd=None, env=None):
    code = f"from dalif_deploy.cli.{command} import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=250,
        cwd=cwd,
        env=env,
    )


@pytest.fixture
def run_inside(capfd):
    """As `run`, in this process."""
    return lambda command, *arguments: run_here([command, *arguments], capfd)


def fails(result, *words, code=2):
    assert result.returncode == code, result.stderr
    assert result.stderr.strip().count("\n") == 0 and "Traceback" not in result.stderr, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A few epochs on digits: enough to spike, not to be good."""
    out = tmp_path_factory.mktemp("train") / "run"
    result = run("train", "--dataset", "digits", "--epochs", 3, "--channels", "6,8", "--out", out)
    assert result.returncode == 0, result.stderr
    return out


def spec(**changes):
    return NetworkSpec(**{"input_shape": (1, 8, 8), "classes": 10, "channels": [3], "strides": [2], **changes})


def checkpoint(path, change=None, **changes):
    torch.manual_seed(0)
    network = build_network(spec(**changes))
    if change:
        with torch.no_grad():
            change(network)
    save_checkpoint(path, network, {"dataset": "digits", "input_step": 1 / 16}, force=True)
    return path


def test_training_writes_metrics_and_a_plain_checkpoint(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert len(metrics["epochs"]) == 3 and metrics["test_accuracy"] > 0.5
    assert metrics["epochs"][0]["loss"] > metrics["epochs"][-1]["loss"]
    assert all(len(epoch["beta"]) == 2 for epoch in metrics["epochs"])
    content = torch.load(trained / "model.pt", weights_only=True)
    assert content["spec"]["channels"] == [6, 8]


def test_training_is_repeatable(tmp_path):
    options = ("--epochs", 1, "--channels", "3", "--seed", 5)
    for name in ("a", "b"):
        assert run("train", *options, "--out", tmp_path / name).returncode == 0
    one, two = (load_checkpoint(tmp_path / name / "model.pt").network.state_dict() for name in ("a", "b"))
    one, two = ((tmp_path / name / "model.pt").read_bytes() for name in ("a", "b"))
    assert one == two
    other = (*options[:-1], 6)
    assert run("train", *other, "--out", tmp_path / "c").returncode == 0
    assert (tmp_path / "c" / "model.pt").read_bytes() != one


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("learn", ["both", "none"])
def test_nir_file_steps_to_the_trained_network_s_spikes(tmp_path, reset, learn):
    """Read back with nir and stepped by hand, in torch, without any reader of this project."""
    path = checkpoint(
        tmp_path / "m.pt",
        lambda n: [(m.running_mean.normal_(0, 0.2), m.bias.fill_(0.7)) for m in n.modules() if hasattr(m, "eps")],
        channels=[4, 5], strides=[1, 2], neuron={"reset": reset, "learn": learn},
    )  # fmt: skip
    assert run("export", path, "--target", "nir", "-o", tmp_path / "out").returncode == 0
    graph = nir.read(tmp_path / "out" / "model.nir")
    dt = float(graph.metadata["dt"])
    x = torch.rand(40, 1, 8, 8, dtype=torch.float64)
    logits, layers = load_checkpoint(path).network.double().forward_recorded(x)
    v = {"block1": 0.0, "block2": 0.0}
    total = 0
    for t in range(4):
        value = x
        for name in v:
            conv, lif = graph.nodes[f"{name}.conv"], graph.nodes[name]
            current = torch.nn.functional.conv2d(
                value, torch.tensor(conv.weight), torch.tensor(conv.bias), tuple(conv.stride), tuple(conv.padding)
            )
            tau, r, leak, threshold = (torch.tensor(getattr(lif, k)) for k in ("tau", "r", "v_leak", "v_threshold"))
            v[name] = v[name] + dt / tau * ((leak - v[name]) + r * current)
            value = (v[name] > threshold).double()
            v[name] = v[name] * (1 - value) if reset == "zero" else v[name] - value * threshold
            assert torch.equal(value, layers[name]["spikes"][t])
        readout = graph.nodes["readout"]
        total = total + value.flatten(1) @ torch.tensor(readout.weight).T + torch.tensor(readout.bias)
    assert torch.allclose(total / 4, logits, atol=1e-9)
    assert layers["block2"]["spikes"].mean() > 0.01


@pytest.mark.parametrize(
    ("chip", "mode", "reset"),
    [
        ("loihi1", "bias", "zero"),
        ("loihi2", "bias", "zero"),
        ("loihi2", "graded", "zero"),
        ("loihi2", "graded", "subtract"),
    ],
)
@pytest.mark.usefixtures("lava")
def test_exported_network_is_the_same_in_lava_and_near_the_trained_one(trained, tmp_path, chip, mode, reset):
    source = trained / "model.pt"
    if reset == "subtract":
        source = checkpoint(tmp_path / "soft.pt", neuron={"reset": reset})
    out = tmp_path / "out"
    assert run("export", source, "--target", "lava", "--chip", chip, "--input", mode, "-o", out).returncode == 0
    record, figures = tmp_path / "r.npz", tmp_path / "f.json"
    result = run(
        "simulate", out, "--data", "digits:test", "--engine", "lava", "--check", "--limit", 12,
        "--record", record, "--json", figures,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    check = json.loads(figures.read_text())["check"]
    assert check["mismatches"] == 0 and sum(check["compared"].values()) > 1_000
    with np.load(record) as file:
        assert file["block1.spikes"].sum() > 0 and file["block1.membrane"].dtype.kind == "i"
    fast = json.loads(run("simulate", out, "--data", "digits:test", "--json", "-").stdout)
    if reset == "zero":
        accuracy = json.loads((trained / "metrics.json").read_text())["test_accuracy"]
        assert abs(fast["accuracy"] - accuracy) < 0.03


def test_a_difference_is_found_and_ends_with_1(trained, tmp_path):
    """One weight changed in the float graph: torch and nir must be told apart, with the place."""
    out = tmp_path / "out"
    assert run("export", trained / "model.pt", "--target", "nir", "-o", out).returncode == 0
    graph = nir.read(out / "model.nir")
    graph.nodes["block2.conv"].weight[3] += 0.5
    nir.write(out / "model.nir", graph)
    command = ("simulate", out, "--data", "digits:test", "--engine", "torch", "--check", "--limit", 20)
    fails(run(*command), "model.nir: has changed since the export", "export it again")
    export = json.loads((out / "export.json").read_text())
    export["files"]["model.nir"] = hashlib.sha256((out / "model.nir").read_bytes()).hexdigest()
    (out / "export.json").write_text(json.dumps(export))
    result = run(*command)
    fails(result, "mismatches", "sample", "layer block2", "step", "neuron (3, ", code=1)


def test_bad_checkpoints(tmp_path, trained, run_inside):
    good = (trained / "model.pt").read_bytes()
    cases = {
        "text.pt": (b"hello", "not a checkpoint"),
        "cut.pt": (good[: len(good) // 2], "truncated"),
        "empty.pt": (b"", "not a checkpoint"),
        "other.pt": (None, "not a checkpoint of dalif-train"),
        "code.pt": (None, "code"),
    }
    torch.save({"weights": torch.ones(3)}, tmp_path / "other.pt")

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"format": Evil()}, tmp_path / "code.pt")
    for name, (content, words) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        fails(run_inside("export", tmp_path / name, "--target", "nir", "-o", tmp_path / "o"), name, words)
        assert not (tmp_path / "o").exists()
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil()))
    fails(run_inside("export", tmp_path / "plain.pkl", "--target", "nir", "-o", tmp_path / "o"), "plain.pkl")
    assert not (tmp_path / "ran").exists()
    fails(run_inside("export", tmp_path / "gone.pt", "--target", "nir", "-o", tmp_path / "o"), "no such file")


def rewritten(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def test_bad_networks(tmp_path, run_inside):
    out = tmp_path / "o"
    nan = checkpoint(tmp_path / "nan.pt")
    rewritten(nan, lambda c: c["state"]["readout.weight"].fill_(float("nan")))
    fails(run_inside("export", nan, "--target", "nir", "-o", out), "readout.weight", "NaN")
    layer = rewritten(checkpoint(tmp_path / "layer.pt"), lambda c: c["state"].update(gelu=torch.ones(2)))
    fails(run_inside("export", layer, "--target", "nir", "-o", out), "unknown layer gelu")
    arch = rewritten(checkpoint(tmp_path / "arch.pt"), lambda c: c["spec"].update(arch="transformer"))
    fails(run_inside("export", arch, "--target", "nir", "-o", out), "arch")
    negative = checkpoint(tmp_path / "negative.pt", lambda n: n.layers["block1"].neuron.tau_b.fill_(-0.3))
    fails(run_inside("export", negative, "--target", "lava", "-o", out), "block1", "negative", "retrain")
    fails(run_inside("export", negative, "--target", "lava", "--chip", "loihi9", "-o", out), "loihi1")
    fails(run_inside("export", negative, "--target", "tpu", "-o", out), "nir, lava")
    assert not out.exists()


def test_bad_places_and_data(tmp_path, trained, run_inside):
    model = trained / "model.pt"
    (tmp_path / "there").mkdir()
    fails(run_inside("export", model, "--target", "nir", "-o", tmp_path / "there"), "exists", "--force")
    fails(run_inside("export", model, "--target", "nir", "-o", "/proc/nowhere/x"), "cannot write")
    fails(run_inside("train", "--out", tmp_path / "there"), "exists")
    fails(run_inside("simulate", tmp_path / "there", "--data", "digits:test"), "export.json", "dalif-export")
    assert run_inside("export", model, "--target", "lava", "-o", tmp_path / "ok").returncode == 0
    fails(run_inside("simulate", tmp_path / "ok", "--data", "imagenet:test"), "imagenet")
    fails(run_inside("simulate", tmp_path / "ok", "--data", "digits:best"), "digits:train")
    fails(run_inside("simulate", tmp_path / "ok", "--data", "digits:test", "--engine", "quantum"), "fast, lava")
    np.savez(tmp_path / "small.npz", input=np.zeros((2, 1, 5, 5)))
    fails(run_inside("simulate", tmp_path / "ok", "--data", tmp_path / "small.npz"), "does not fit")
    np.savez(tmp_path / "nan.npz", input=np.full((2, 1, 8, 8), np.nan))
    fails(run_inside("simulate", tmp_path / "ok", "--data", tmp_path / "nan.npz"), "NaN")
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    fails(run_inside("simulate", tmp_path / "ok", "--data", tmp_path / "bad.npz"), "bad.npz")
    (tmp_path / "ok" / "network.nir").write_bytes(b"\x89HDF\r\n\x1a\n broken")
    fails(run_inside("simulate", tmp_path / "ok", "--data", "digits:test"), "network.nir")
    assert not list(tmp_path.glob(".*"))


def test_a_missing_data_set_says_all_ways_to_get_it(tmp_path, monkeypatch):
    from dalif_deploy.data import fashion_mnist
    from dalif_deploy.hw_models.errors import UserError

    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "none")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", [])
    monkeypatch.delenv("DALIF_DATA", raising=False)
    with pytest.raises(UserError) as caught:
        fashion_mnist.load_fashion_mnist("test", str(tmp_path))
    for word in ("--data-root", "$DALIF_DATA", "dataset-fashion-mnist"):
        assert word in str(caught.value)


def test_fashion_mnist_in_the_true_format_is_read(tmp_path):
    import gzip

    from dalif_deploy.data import load_data

    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (7, 28, 28), dtype=np.uint8), rng.integers(0, 10, 7, dtype=np.uint8)
    header = (2051).to_bytes(4, "big") + (7).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(
        (2049).to_bytes(4, "big") + (7).to_bytes(4, "big") + labels.tobytes()
    )
    data = load_data("fashion-mnist:test", str(tmp_path))
    np.testing.assert_array_equal(np.rint(data.inputs[:, 0] / data.step), images)
    np.testing.assert_array_equal(data.labels, labels)


@pytest.mark.parametrize("command", ["train", "export", "simulate", "energy"])
def test_help_has_an_example_and_needs_no_torch(command):
    code = (
        f"import sys\nfrom dalif_deploy.cli.{command} import main\ntry: main()\n"
        "except SystemExit: pass\nassert not {'torch', 'nir', 'sklearn'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "Example: dalif-" in result.stdout


def test_checkpoint_is_an_ordinary_zip_without_code(trained):
    with zipfile.ZipFile(trained / "model.pt") as archive:
        names = archive.namelist()
    assert any(name.endswith("data.pkl") for name in names) and not any(name.endswith(".py") for name in names)
