"""A teacher: its loss against closed forms, that it stays as it is, that it teaches, and what can't be one."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.distillation import Teacher, distillation_loss, load_teacher
from dalif_deploy.training.losses import loss_and_logits
from dalif_deploy.training.processes import OneProcess
from tests.commands_here import run_here


def config(**changes):
    small = {"channels": [4, 8], "strides": [2, 2], "epochs": 2, "batch_size": 64, "lr": 1e-2, "steps": 2}
    return TrainConfig(dataset="digits", **{**small, **changes})


def checkpoint(path, info=None, **changes):
    torch.manual_seed(3)
    options = {"input_shape": (1, 8, 8), "classes": 10, "channels": [3], "strides": [1], "steps": 1, **changes}
    save_checkpoint(path, build_network(NetworkSpec(**options)), {"dataset": "digits", **(info or {})})
    return str(path)


@pytest.fixture(scope="module")
def relu(tmp_path_factory):
    """The folder of a trained ReLU network."""
    folder = tmp_path_factory.mktemp("teacher") / "relu"
    train(config(steps=1, epochs=4, neuron={"kind": "relu"}), folder)
    return folder


def logits(seed, *shape):
    return 3 * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_loss_is_the_papers(temperature):
    student, teacher = logits(0, 5, 7), logits(1, 5, 7)
    total = 0.0
    for z, v in zip(student.tolist(), teacher.tolist(), strict=True):
        sums = [sum(math.exp(each / temperature) for each in row) for row in (z, v)]
        for mine, its in zip(z, v, strict=True):
            q, p = math.exp(mine / temperature) / sums[0], math.exp(its / temperature) / sums[1]
            total += p * math.log(p / q)
    found = distillation_loss(student, teacher, temperature).item()
    assert found == pytest.approx(temperature**2 * total / 5, rel=1e-12)
    assert distillation_loss(teacher, teacher, temperature).item() == pytest.approx(0, abs=1e-14)


def test_the_gradient_is_the_papers():
    """Section 2.1: (q - p) / temperature a logit, times its square; with great temperatures (z - v) / classes."""
    student, teacher = logits(0, 5, 7).requires_grad_(), logits(1, 5, 7).requires_grad_()
    for temperature in (1.0, 4.0, 1e5):
        (found,) = torch.autograd.grad(distillation_loss(student, teacher, temperature), student)
        q, p = (F.softmax(each / temperature, 1) for each in (student, teacher))
        torch.testing.assert_close(found, temperature * (q - p) / 5)
    z, v = (each - each.mean(1, keepdim=True) for each in (student, teacher))
    torch.testing.assert_close(found, (z - v) / 7 / 5, rtol=1e-4, atol=1e-6)
    assert torch.autograd.grad(distillation_loss(student, teacher, 2.0), teacher, allow_unused=True) == (None,)


@pytest.mark.parametrize("loss", [{}, {"label_smoothing": 0.1}, {"loss": "tet", "tet_lambda": 0.1}])
def test_the_teacher_has_its_share_of_the_loss(loss):
    torch.manual_seed(0)
    network = build_network(config().network((1, 8, 8), 10))
    x, y, its = torch.rand(6, 1, 8, 8), torch.arange(6), logits(2, 6, 10).float()
    alone, mine = loss_and_logits(network, x, y, config(**loss))
    with_teacher = config(**loss, teacher="any", teacher_weight=0.3, temperature=2)
    value, seen = loss_and_logits(network, x, y, with_teacher, lambda _: its)
    torch.testing.assert_close(value, 0.7 * alone + 0.3 * distillation_loss(mine, its, 2.0))
    assert torch.equal(seen, mine) and not seen.requires_grad


def test_a_teacher_stays_as_it_is_and_keeps_nothing(tmp_path):
    path = checkpoint(tmp_path / "model.pt")
    network = load_checkpoint(path).network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    teacher = Teacher(network, {}, OneProcess())
    x, kept = torch.rand(6, 1, 8, 8), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        answers = teacher(x)
    assert not kept and not answers.requires_grad and not answers.is_inference()
    (torch.zeros(6, 10, requires_grad=True) * answers).sum().backward()  # autograd may keep the answers
    with torch.no_grad():
        assert torch.equal(answers, load_checkpoint(path).network(x))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not network.training and all(p.grad is None and not p.requires_grad for p in network.parameters())


def test_a_teacher_answers_in_the_precision_of_the_training(tmp_path):
    class Mixed(OneProcess):
        def autocast(self):
            return torch.autocast("cpu", torch.bfloat16)

    network = load_checkpoint(checkpoint(tmp_path / "model.pt")).network
    x = torch.rand(6, 1, 8, 8)
    full, mixed = (Teacher(network, {}, processes)(x) for processes in (OneProcess(), Mixed()))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert torch.equal(mixed, network(x).float())
    assert mixed.dtype == torch.float32 and not torch.equal(full, mixed)


def test_a_student_learns_the_teachers_answers(relu, tmp_path, monkeypatch):
    """Where every label of the training is wrong and the teacher has the whole loss: all that is right is its own."""
    monkeypatch.setattr("dalif_deploy.training.training_run.load_data", with_wrong_labels)
    metrics = train(config(teacher=str(relu), teacher_weight=1.0, epochs=8), tmp_path / "run")
    written = load_checkpoint(tmp_path / "run" / "model.pt")
    x = torch.from_numpy(load_data("digits:test").inputs)
    answers = [load_checkpoint(folder / "model.pt").network(x).argmax(1) for folder in (relu, tmp_path / "run")]
    assert (answers[0] == answers[1]).float().mean() > 0.8 and metrics["test_accuracy"] < 0.1
    assert written.info["teacher"].keys() == {"sha256", "test_accuracy"}
    assert metrics["config"]["teacher"] == str(relu)


def with_wrong_labels(*arguments, **options):
    data = load_data(*arguments, **options)
    return replace(data, labels=(data.labels + 1) % 10)


def test_a_resumed_training_has_the_teacher_it_was_begun_with(tmp_path, monkeypatch):
    path = checkpoint(tmp_path / "teacher.pt")
    with monkeypatch.context() as patch:
        patch.setattr("dalif_deploy.training.training_run.shutil.copy", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config(teacher=path, epochs=1), tmp_path / "run")
    save_checkpoint(path, load_checkpoint(checkpoint(tmp_path / "b.pt", channels=[5])).network, {}, force=True)
    with pytest.raises(UserError, match="another network than when it was begun"):
        train(config(teacher=path, epochs=1), tmp_path / "run", resume=True)


def stop(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_shape": (3, 8, 8)}, "its input shape 3x8x8, the student's 1x8x8"),
        ({"classes": 9}, "its classes 9, the student's 10"),
        ({"info": {"dataset": "mnist"}}, "its data set mnist, the student's digits"),
    ],
)
def test_a_teacher_of_other_data_is_refused_in_one_line(tmp_path, capfd, changes, words):
    path = checkpoint(tmp_path / "teacher.pt", **changes)
    done = run_here(["dalif-train", "--teacher", path, "--out", tmp_path / "run", "--epochs", 1], capfd)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {path}: can't teach: {words}; ")
    assert [each.name for each in tmp_path.iterdir()] == ["teacher.pt"]


def test_frames_want_a_teacher_of_as_many_steps(tmp_path):
    rows = TrainConfig(dataset="digits-rows", arch="mlp", channels=[4], steps=8, epochs=1, batch_size=8, lr=1e-3)
    data = load_data("digits-rows:test", steps=8)
    options = {"arch": "mlp", "channels": [4], "strides": None, "input_shape": data.inputs.shape[-3:]}
    about = {"dataset": "digits-rows"}
    with pytest.raises(UserError, match="its steps 4, the student's 8"):
        load_teacher(checkpoint(tmp_path / "4.pt", about, steps=4, **options), rows, data, 10)
    teacher = load_teacher(checkpoint(tmp_path / "8.pt", about, steps=8, **options), rows, data, 10)
    assert teacher(torch.rand(8, 2, *options["input_shape"])).shape == (2, 10)


def test_no_checkpoint_is_no_teacher(tmp_path, capfd):
    mine = tmp_path / "mine.json"
    mine.write_text("a year's work")
    for given, words in (
        (mine, "not a checkpoint"),
        (tmp_path / "none", "no such file"),
        ("zoo:none", "unknown trained network"),
    ):
        done = run_here(["dalif-train", "--teacher", given, "--out", tmp_path / "run", "--epochs", 1], capfd)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and words in done.stderr, done.stderr
    assert mine.read_text() == "a year's work" and [each.name for each in tmp_path.iterdir()] == ["mine.json"]


def test_what_would_do_nothing_is_refused():
    for option in ({"teacher_weight": 0.5}, {"temperature": 2.0}):
        with pytest.raises(ValidationError, match="need a teacher"):
            config(**option)
    for option in ({"teacher_weight": 0.0}, {"temperature": 0.0}, {"teacher_weight": 1.5}):
        with pytest.raises(ValidationError):
            config(teacher="zoo:digits", **option)
