"""What learning alpha and beta gains: LIF, spatial only, temporal only and DA-LIF, on one network and data set.

    python benchmarks/ablation.py [--seeds 3] [--steps 1 2 4] [--epochs 1] [--out docs]

LIF has the decays fixed that the others start from. All runs of one seed share the order of the samples and the weights
at the start. Results are kept run by run in ablation.json: a stopped ablation goes on where it was. At the end
ablation.md (test accuracy: mean and sample deviation over the seeds; DA-LIF's lead over LIF, seed by seed) and
ablation.png (alpha and beta a layer over training) are written. The test images are looked at after the last epoch and
decide nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.hw_models.devices import CHOICES, chosen_device
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.networks import build_network
from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.fit import fit, steps_per_epoch
from dalif_deploy.training.optimization import make_optimizer, make_schedule
from dalif_deploy.training.processes import this_process
from dalif_deploy.training.training_state import TrainingState

# what is learned, and the names that the paper's table has for it
NEURONS = {"none": "LIF", "spatial": "spatial only", "temporal": "temporal only", "both": "DA-LIF"}
VARIANTS = [
    ("none", "tanh"),
    *((learn, act) for act in ("tanh", "sigmoid") for learn in ("spatial", "temporal", "both")),
]
NETWORK = {"arch": "cnn", "channels": [16, 32, 64], "strides": [2, 2, 2]}
RECIPE = {"batch_size": 128, "lr": 5e-3}
LOOK_EVERY = 20  # steps between two looks at the decays


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    training, testing = (load_data(f"{arguments.data}:{split}") for split in ("train", "test"))
    path = arguments.out / "ablation.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for seed in range(arguments.seeds):
        for steps in arguments.steps:
            for learn, activation in VARIANTS:
                name = f"{arguments.data}, {arguments.epochs} epochs, T={steps}, {learn}, {activation}, seed {seed}"
                if name not in runs:
                    config = TrainConfig(
                        dataset=arguments.data, steps=steps, epochs=arguments.epochs, seed=seed,
                        neuron={"learn": learn, "activation": activation}, precision=arguments.precision,
                        **NETWORK, **RECIPE,
                    )  # fmt: skip
                    runs[name] = run(config, training, testing, arguments.device)
                    with atomic_file(path, force=True) as temporary:
                        temporary.write_text(json.dumps(runs), encoding="utf-8")
                    print(f"{name}: {100 * runs[name]['accuracy']:.2f} %, {runs[name]['seconds']:.0f} s", flush=True)
    (arguments.out / "ablation.md").write_text(report(runs, arguments), encoding="utf-8")
    plot(runs, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--steps", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--device", default="cpu", help=f"{CHOICES}; a GPU has not been measured")
    parser.add_argument("--precision", default="32", choices=["32", "bf16-mixed", "16-mixed"])
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    return parser.parse_args()


def run(config: TrainConfig, training: LabelledData, testing: LabelledData, device: str) -> dict:
    """Accuracy, seconds, and alpha and beta a layer as they went."""
    processes = this_process(chosen_device(device), config.precision)
    torch.manual_seed(config.seed)
    network = build_network(config.network(training.inputs.shape[-3:], int(training.labels.max()) + 1))
    network.to(processes.device)
    optimizer = make_optimizer(network, config)
    schedule = make_schedule(optimizer, config, steps_per_epoch(training, config))
    state = TrainingState(network, optimizer, schedule, np.random.default_rng(config.seed), None, processes)
    seen = {"step": [], "alpha": [], "beta": []}

    def look() -> None:
        step = state.batch + len(state.epochs) * steps_per_epoch(training, config)
        if step % LOOK_EVERY == 0 or state.batch == 0:
            seen["step"].append(step)
            for decay in ("alpha", "beta"):
                seen[decay].append([getattr(layer.neuron, decay).item() for layer in network.layers.values()])

    began = time.perf_counter()
    look()
    fit(state, training, testing, config, processes, after_step=look, after_epoch=lambda _: look())
    return {"accuracy": state.epochs[-1]["test_accuracy"], "seconds": time.perf_counter() - began, "decays": seen}


def accuracies(runs: dict, arguments: argparse.Namespace, steps: int, learn: str, activation: str) -> list[float]:
    names = (f"{arguments.data}, {arguments.epochs} epochs, T={steps}, {learn}, {activation}, seed {seed}"
             for seed in range(arguments.seeds))  # fmt: skip
    return [100 * runs[name]["accuracy"] for name in names]


def report(runs: dict, arguments: argparse.Namespace) -> str:
    """The tables, as Markdown."""
    columns = [f"T = {steps}" for steps in arguments.steps]
    lines = [
        "# The paper's ablation, as measured here",
        "",
        f"Written by `python benchmarks/ablation.py --data {arguments.data} --epochs {arguments.epochs} --seeds "
        f"{arguments.seeds}` (torch {torch.__version__}, Python {platform.python_version()}, threads: "
        f"{arguments.threads}). Network: cnn, channels {NETWORK['channels']}, strides {NETWORK['strides']}; "
        f"AdamW, batch {RECIPE['batch_size']}, largest rate {RECIPE['lr']}; no augmentation. LIF: alpha 0.9 and beta "
        "0.5, fixed; where one is learned it starts there.",
        "",
        f"Test accuracy in %, mean and sample deviation over {arguments.seeds} seeds:",
        "",
        f"| neuron | decays by | {' | '.join(columns)} |",
        f"|---|---|{'---|' * len(columns)}",
    ]
    for learn, activation in VARIANTS:
        cells = []
        for steps in arguments.steps:
            each = accuracies(runs, arguments, steps, learn, activation)
            cells.append(f"{statistics.mean(each):.2f} ± {statistics.stdev(each):.2f}")
        lines.append(f"| {NEURONS[learn]} | {'-' if learn == 'none' else activation} | {' | '.join(cells)} |")
    lines += [
        "",
        "Lead over LIF in points, seed by seed, mean ± standard error; **bold** where it is more than two of them:",
        "",
        f"| neuron | decays by | {' | '.join(columns)} |",
        f"|---|---|{'---|' * len(columns)}",
    ]
    for learn, activation in VARIANTS[1:]:
        cells = [lead(runs, arguments, steps, learn, activation) for steps in arguments.steps]
        lines.append(f"| {NEURONS[learn]} | {activation} | {' | '.join(cells)} |")
    lines += ["", "Alpha and beta a layer over training, DA-LIF by tanh, seed 0:", "", "![decays](ablation.png)", ""]
    return "\n".join(lines)


def lead(runs: dict, arguments: argparse.Namespace, steps: int, learn: str, activation: str) -> str:
    ours = accuracies(runs, arguments, steps, learn, activation)
    theirs = accuracies(runs, arguments, steps, "none", "tanh")
    leads = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, error = statistics.mean(leads), statistics.stdev(leads) / len(leads) ** 0.5
    text = f"{mean:+.2f} ± {error:.2f}"
    return f"**{text}**" if mean > 2 * error else text


def plot(runs: dict, arguments: argparse.Namespace) -> None:
    os.environ.setdefault("MPLBACKEND", "agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        2, len(arguments.steps), figsize=(4 * len(arguments.steps), 5), sharex=True, sharey="row"
    )
    for column, steps in enumerate(arguments.steps):
        seen = runs[f"{arguments.data}, {arguments.epochs} epochs, T={steps}, both, tanh, seed 0"]["decays"]
        for row, decay in enumerate(("alpha", "beta")):
            for layer, values in enumerate(zip(*seen[decay], strict=True), start=1):
                axes[row][column].plot(seen["step"], values, label=f"block{layer}")
            axes[row][column].set_title(f"{decay}, T = {steps}")
    axes[0][0].legend()
    for axis in axes[-1]:
        axis.set_xlabel("step of training")
    figure.tight_layout()
    figure.savefig(arguments.out / "ablation.png", dpi=110)


if __name__ == "__main__":
    main()
