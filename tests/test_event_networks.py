"""A network on frames of events, from images to the chip: trained, exported, run on a recording, equal in Lava."""

import numpy as np
import pytest

from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.simulation.session import SimulationRequest, run_simulation
from dalif_deploy.training import TrainConfig, train
from dalif_deploy.training.config import with_defaults
from dalif_deploy.training.evaluation import evaluate

STEPS = 5


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Squares at the left and at the right, as Fashion-MNIST's files; a network that tells them apart by events."""
    root, patch = tmp_path_factory.mktemp("events"), pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    rng = np.random.default_rng(0)
    for split, count in (("train", 96), ("t10k", 24)):
        labels = np.arange(count, dtype=np.uint8) % 2
        images = np.zeros((count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = rng.integers(2, 18), rng.integers(2, 6) + 13 * int(label)
            image[row : row + 8, column : column + 8] = rng.integers(100, 256)
        (root / f"{split}-images-idx3-ubyte").write_bytes(idx(images))
        (root / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels))
    options = {"dataset": "fashion-motion", "arch": "cnn", "channels": [4, 4], "strides": [4, 3], "steps": STEPS,
               "epochs": 6, "batch_size": 16, "crop_padding": 0, "flip": False}  # fmt: skip
    metrics = train(TrainConfig(**with_defaults(options)), root / "run", data_root=str(root))
    export_network(root / "run" / "model.pt", "lava", root / "exported", request=ExportRequest(chip="loihi2"))
    yield root, metrics
    patch.undo()


def test_training_learns_from_frames(exported):
    root, metrics = exported
    assert metrics["test_accuracy"] > 0.8
    data = load_data("fashion-motion:test", str(root), steps=STEPS)
    network = load_checkpoint(root / "run" / "model.pt").network
    assert network.spec.input_shape == (2, 34, 34) and network.steps == STEPS
    assert evaluate(network, data) == metrics["test_accuracy"] == evaluate(network, data, batch_size=35)


def test_every_count_of_the_training_data_reaches_the_chip(exported):
    root, _ = exported
    training = load_data("fashion-motion:train", str(root), steps=STEPS)
    (chip_input,) = load_artefact(root / "exported").network.inputs.values()
    assert (chip_input.mode, chip_input.step, chip_input.min_level) == ("graded", 1.0, 0)
    assert chip_input.max_level == training.inputs[:].max() > 1
    encoded = encode_input(load_artefact(root / "exported").network, training.inputs[:8])
    np.testing.assert_array_equal(encoded.messages[chip_input.name], training.inputs[:8])


def test_the_exported_network_takes_its_steps_from_the_folder(exported):
    root, metrics = exported
    request = SimulationRequest(data_root=str(root))
    _, found = run_simulation(load_artefact(root / "exported"), "fashion-motion:test", request)
    assert found.samples == 24 and abs(found.accuracy - metrics["test_accuracy"]) < 0.1
    _, checked = run_simulation(
        load_artefact(root / "exported"),
        "fashion-motion:test",
        SimulationRequest("torch", check="counterpart", data_root=str(root)),
    )
    assert checked.check.total_mismatches == 0 and checked.accuracy == metrics["test_accuracy"]


def test_frames_and_a_recording_give_the_same_bits_in_lava(exported, tmp_path):
    faery = pytest.importorskip("faery")
    root, _ = exported
    request = SimulationRequest("lava", check="counterpart", limit=3, data_root=str(root))
    assert (
        run_simulation(load_artefact(root / "exported"), "fashion-motion:test", request)[1].check.total_mismatches == 0
    )
    rng = np.random.default_rng(1)
    events = np.zeros(20_000, dtype=faery.EVENTS_DTYPE)
    events["t"] = np.sort(rng.integers(0, 110_000, len(events)))
    events["x"], events["y"] = rng.integers(0, 80, len(events)), rng.integers(0, 60, len(events))
    events["p"] = rng.random(len(events)) < 0.5
    faery.events_stream_from_array(events, (80, 60)).to_file(str(tmp_path / "some.aedat4"))
    request = SimulationRequest("lava", check="counterpart", window_ms=50)
    _, found = run_simulation(load_artefact(root / "exported"), str(tmp_path / "some.aedat4"), request)
    assert found.check.total_mismatches == 0 and found.accuracy is None
    assert len(found.predicted) == found.samples == 2
    assert max(found.firing_rate.values()) > 0
