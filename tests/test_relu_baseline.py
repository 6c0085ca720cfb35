"""A ReLU network in 8 bits beside the spiking one: accuracy, MACs, and when accuracies are called equal."""

import numpy as np
import pytest
import torch

from dalif_deploy.hw_models.energy.figures import OverSamples
from dalif_deploy.hw_models.energy.opponents.arithmetic import arithmetic_45nm
from dalif_deploy.hw_models.energy.opponents.equal_accuracy import Baseline8Bit, equal_accuracy
from dalif_deploy.hw_models.energy.opponents.memory_accounting import DenseLayer, memory_account
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.simulation.relu_baseline import relu_baseline
from tests.test_commands import checkpoint
from tests.test_energy_models import run


def trained(tmp_path, **options):
    """A checkpoint of a small network, with weights and batch norms that are not those of the start."""
    from dalif_deploy.networks.checkpoint import load_checkpoint
    from dalif_deploy.networks.spec import NeuronSpec

    path = checkpoint(tmp_path / "model.pt", neuron=NeuronSpec(kind="relu"), steps=1, **options)
    return path, load_checkpoint(path).network.eval()


def test_macs_by_hooks_and_accuracy_by_labels(tmp_path):
    path, network = trained(tmp_path)
    shape = tuple(network.spec.input_shape)
    inputs = np.random.default_rng(1).random((6, *shape)).astype(np.float32)
    inputs[:, :, : shape[1] // 2] = 0
    with torch.no_grad():
        labels = network(torch.from_numpy(inputs)).argmax(1).numpy()
    found = relu_baseline(path, inputs, labels)
    assert found.accuracy_float == 1.0 and found.accuracy >= 4 / 6  # 8 bits may move a close call
    wrong = relu_baseline(path, inputs, (labels + 1) % 10)
    assert wrong.accuracy_float == 0.0
    assert 0 < found.macs_with_input.mean < found.macs
    ones = relu_baseline(path, np.ones_like(inputs), labels)
    assert ones.macs == found.macs and ones.macs_with_input.mean > found.macs_with_input.mean


def test_what_is_no_relu_network_or_takes_other_samples_is_refused(tmp_path):
    path, network = trained(tmp_path)
    shape = tuple(network.spec.input_shape)
    with pytest.raises(UserError, match="takes samples of"):
        relu_baseline(path, np.zeros((1, shape[0] + 1, *shape[1:]), np.float32), np.zeros(1, int))
    spiking = checkpoint(tmp_path / "spiking.pt")
    with pytest.raises(UserError, match="is no ReLU network"):
        relu_baseline(spiking, np.zeros((1, *shape), np.float32), np.zeros(1, int))


@pytest.mark.parametrize(("accuracy", "equal"), [(0.975, True), (0.985, False), (0.96, True), (0.95, False)])
def test_accuracies_within_a_point_are_called_equal(accuracy, equal):
    network, _, counts = run()
    baseline = Baseline8Bit(
        file="m.pt",
        accuracy=accuracy,
        accuracy_float=0.99,
        macs=1000,
        macs_with_input=OverSamples.of(np.array([400])),
        layers=[DenseLayer(inputs=100, outputs=10, weights=1000, biases=0, kernel_steps=0, macs=1000)],
    )
    found = equal_accuracy(baseline, 0.97, arithmetic_45nm(network, counts), memory_account(network, counts), 4)
    assert found.equal == equal and found.sentence.startswith("At equal" if equal else "Not at equal")
    assert found.baseline_joules.mean == pytest.approx(1000 * 0.3e-12)
    assert found.baseline_joules_skipping_zeros.mean == pytest.approx(400 * 0.3e-12)
