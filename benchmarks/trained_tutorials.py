"""A network of each framework, trained on Fashion-MNIST as its tutorial has it, and what the chip makes of it.

    python benchmarks/trained_tutorials.py --only torch

Prints, a framework: test accuracy of the module and of its 8-bit export for loihi2, and values that differ in Lava. The
networks and their loops: `benchmarks/tutorial_networks/`. The ReLU network of plain PyTorch is converted first.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import dalif_deploy as dd
from benchmarks.tutorial_networks import training
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples

FRAMEWORKS = ("torch", "snntorch", "spikingjelly", "norse", "sinabs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(FRAMEWORKS), help="frameworks, by commas")
    parser.add_argument("--epochs", type=int, help="each network's own by default")
    parser.add_argument("--train-images", type=int, default=60_000)
    parser.add_argument("--images", type=int, default=10_000, help="test images")
    parser.add_argument("--lava", type=int, default=50, help="images compared in Lava; 0 for none")
    parser.add_argument("--engine", default="fast", help="an integer engine of dalif-simulate")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        print(row(name, arguments), flush=True)


def row(name: str, arguments: argparse.Namespace) -> str:
    train, test = dd.load_data("fashion-mnist:train"), dd.load_data("fashion-mnist:test")
    images = torch.as_tensor(train.inputs[: arguments.train_images], dtype=torch.float32)
    labels = torch.as_tensor(train.labels[: arguments.train_images]).long()
    seen = torch.as_tensor(test.inputs[: arguments.images], dtype=torch.float32)
    right = torch.as_tensor(test.labels[: arguments.images]).long()
    written = importlib.import_module(f"benchmarks.tutorial_networks.{name}_net")
    torch.manual_seed(0)
    model = written.Net()
    epochs = arguments.epochs or written.EPOCHS
    training.fit(model, written.scores, images, labels, epochs=epochs, rate=written.RATE)
    own = training.accuracy(model, written.scores, seen, right)
    example, time_axis = images[:4], None
    if name == "torch":
        model = dd.convert(model, images[:500], steps=written.STEPS)
    if name == "sinabs":  # takes batch and time in one axis
        example, time_axis = images[:4].unsqueeze(1).repeat(1, written.STEPS, 1, 1, 1), 1
    with tempfile.TemporaryDirectory() as folder:
        net = dd.export(
            model, example, out=Path(folder) / "out", chip="loihi2", steps=written.STEPS, input_mode="graded",
            time_axis=time_axis, input_range=(0.0, 1.0),
        )  # fmt: skip
        found = dd.simulate(net, (seen.numpy(), right.numpy()), engine=arguments.engine)
        said = f"{name}: module {own:.2%}, the chip's integers {found.accuracy:.2%} ({found.samples} images)"
        if arguments.lava:
            request = SimulationRequest("lava", check="counterpart")
            said += f"; {simulate_samples(net, seen[: arguments.lava].numpy(), None, request).check} in Lava"
    return said


if __name__ == "__main__":
    main()
