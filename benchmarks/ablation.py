"""Where learned decays help, by how much, and what they become: one network and recipe a setting, many neurons.

    python benchmarks/ablation.py [--settings digits digits-rows ...] [--minutes 20] [--out docs]

LIF has the decays fixed that the others start from; PLIF has one learned decay a layer, alpha = 1 - beta. "Spread"
decays start evenly over a range. All runs of one seed share the order of the samples and the weights at the start.
Each run is a line of ablation.jsonl: a stopped ablation goes on where it was, and `--minutes` stops it. At the end
ablation.md (test accuracy; lead over LIF, PLIF and one decay a layer, seed by seed) and ablation.png (the betas) are
written of all runs there are. The test samples are looked at after the last epoch and decide nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

RANGE = (0.05, 0.95)  # that "spread" betas start over
NEURONS: dict[str, dict[str, Any]] = {
    "LIF": {"learn": "none"},
    "LIF, betas spread": {"learn": "none", "decays_per": "neuron", "beta_init": RANGE},
    "PLIF": {"learn": "tied"},
    "PLIF a neuron": {"learn": "tied", "decays_per": "neuron"},
    "spatial only": {"learn": "spatial"},
    "temporal only": {"learn": "temporal"},
    "temporal only, a neuron": {"learn": "temporal", "decays_per": "neuron"},
    "DA-LIF": {},
    "DA-LIF a channel": {"decays_per": "channel"},
    "DA-LIF a neuron": {"decays_per": "neuron"},
    "DA-LIF a neuron, betas spread": {"decays_per": "neuron", "beta_init": RANGE},
}
PAPER = ["LIF", "PLIF", "spatial only", "temporal only", "DA-LIF", "DA-LIF a channel", "DA-LIF a neuron"]
DENSE = [name for name in NEURONS if name != "DA-LIF a channel"]  # there, a channel is a neuron
BY = ["PLIF", "DA-LIF", "DA-LIF a channel", "DA-LIF a neuron"]  # tried with each activation
QUANTILES = [part / 20 for part in range(21)]


@dataclass(frozen=True)
class Setting:
    """One network, data set and recipe.

    Attributes:
        samples: how many are trained on and tested on, the first ones; None for all.
        steps: T of each column.
        neurons: by name; those in `by` also with the other activations, at the last of `steps`.
        bare: the neurons that are also run without batch norm, at the last of `steps`.
    """

    title: str
    recipe: dict[str, Any]
    steps: tuple[int, ...]
    seeds: int
    neurons: list[str]
    by: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    samples: tuple[int | None, int | None] = (None, None)

    def runs(self) -> list[tuple[int, bool, str, str, int]]:
        """(T, batch norm, neuron, activation, seed), in the order in which they are run."""
        last = self.steps[-1]
        first = [(t, True, neuron, "tanh") for t in self.steps for neuron in self.neurons]
        then = [(last, True, neuron, act) for act in ("sigmoid", "clamp") for neuron in self.by]
        then += [(last, False, neuron, "tanh") for neuron in self.bare]
        return [(*cell, seed) for cells in (first, then) for seed in range(self.seeds) for cell in cells]


_DENSE_BY = [name for name in BY if name in DENSE]
SETTINGS = {
    "digits-rows": Setting(
        "Digits row by row (8 steps of 8 pixels), 64 neurons",
        {"dataset": "digits-rows", "arch": "mlp", "channels": [64], "epochs": 60, "batch_size": 64, "lr": 5e-3},
        (8,), 5, DENSE, _DENSE_BY, [*_DENSE_BY, "LIF"],
    ),
    "digits-rows-wide": Setting(
        "Digits row by row, 80 neurons: more parameters than 64 neurons with decays of their own",
        {"dataset": "digits-rows", "arch": "mlp", "channels": [80], "epochs": 60, "batch_size": 64, "lr": 5e-3},
        (8,),
        5,
        ["LIF", "PLIF", "DA-LIF"],
    ),
    "digits-rows-recurrent": Setting(
        "Digits row by row, 64 neurons with recurrent connections",
        {"dataset": "digits-rows", "arch": "mlp", "channels": [64], "recurrent": True, "epochs": 60, "batch_size": 64,
         "lr": 5e-3},
        (8,), 5, ["LIF", "PLIF", "DA-LIF", "DA-LIF a neuron", "DA-LIF a neuron, betas spread"],
    ),
    "fashion-rows": Setting(
        "Fashion-MNIST row by row (28 steps of 28 pixels), two layers of 64 neurons",
        {"dataset": "fashion-rows", "arch": "mlp", "channels": [64, 64], "epochs": 10, "batch_size": 64, "lr": 5e-3},
        (28,), 3, ["LIF", "LIF, betas spread", "PLIF", "PLIF a neuron", "DA-LIF", "DA-LIF a neuron",
                   "DA-LIF a neuron, betas spread"],
        samples=(6000, 2000),
    ),
    "digits-direction": Setting(
        "Direction of a moving digit (simulated events, polarity left out), convolutions of 8 and 16 channels",
        {"dataset": "digits-direction", "channels": [8, 16], "strides": [2, 2], "epochs": 10, "batch_size": 64,
         "lr": 5e-3},
        (10,), 3, ["LIF", "LIF, betas spread", "PLIF", "DA-LIF", "DA-LIF a channel", "DA-LIF a neuron",
                   "DA-LIF a neuron, betas spread"],
    ),
    "digits-speed": Setting(
        "Speed of a moving digit (simulated events, polarity left out), convolutions of 8 and 16 channels",
        {"dataset": "digits-speed", "channels": [8, 16], "strides": [2, 2], "epochs": 10, "batch_size": 64,
         "lr": 5e-3},
        (16,), 3, ["LIF", "LIF, betas spread", "PLIF", "DA-LIF", "DA-LIF a channel", "DA-LIF a neuron",
                   "DA-LIF a neuron, betas spread"],
    ),
    "digits": Setting(
        "Digits as still images, convolutions of 8 and 16 channels",
        {"dataset": "digits", "channels": [8, 16], "strides": [2, 2], "epochs": 15, "batch_size": 64, "lr": 5e-3},
        (1, 2, 6, 4), 5, PAPER, BY, [*BY, "LIF"],
    ),
    "fashion": Setting(
        "Fashion-MNIST as still images, convolutions of 16, 32 and 64 channels",
        {"dataset": "fashion-mnist", "channels": [16, 32, 64], "strides": [2, 2, 2], "epochs": 5, "batch_size": 64,
         "lr": 5e-3},
        (1, 2, 6, 4), 3, PAPER, samples=(4000, 2000),
    ),
}  # fmt: skip
Runs = dict[tuple[Any, ...], dict[str, Any]]


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    path = arguments.out / "ablation.jsonl"
    runs = read_runs(path)
    until = time.monotonic() + 60 * arguments.minutes
    for name in arguments.settings:
        setting, loaded = SETTINGS[name], {}
        for steps, norm, neuron, activation, seed in setting.runs():
            key = (name, steps, norm, neuron, activation, seed)
            if key in runs or time.monotonic() > until:
                continue
            config = TrainConfig(
                **setting.recipe, steps=steps, seed=seed, batch_norm=norm,
                neuron={**NEURONS[neuron], "activation": activation}, precision=arguments.precision,
            )  # fmt: skip
            if steps not in loaded:
                loaded[steps] = load(setting, config)
            runs[key] = run(config, *loaded[steps], arguments.device)
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"run": key, **runs[key]}) + "\n")
            print(f"{key}: {runs[key]['accuracy']:.2f} %, {runs[key]['seconds']:.0f} s", flush=True)
    with atomic_file(arguments.out / "ablation.md", force=True) as temporary:
        temporary.write_text(report(runs, arguments), encoding="utf-8")
    plot(runs, arguments.out / "ablation.png")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="*", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="begin no run after so many; 0 writes the report alone"
    )
    parser.add_argument("--device", default="cpu", help=f"{CHOICES}; a GPU has not been measured")
    parser.add_argument("--precision", default="32", choices=["32", "bf16-mixed", "16-mixed"])
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    return parser.parse_args()


def read_runs(path: Path) -> Runs:
    """Runs so far."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    read = [json.loads(line) for line in lines]
    return {tuple(each.pop("run")): each for each in read}


def load(setting: Setting, config: TrainConfig) -> tuple[LabelledData, LabelledData]:
    """Training and test data."""
    found = []
    for split, count in zip(("train", "test"), setting.samples, strict=True):
        data = load_data(f"{config.dataset}:{split}", steps=config.steps)
        found.append(LabelledData(data.inputs[:count], data.labels[:count], data.step, data.name, data.highest))
    return found[0], found[1]


def run(config: TrainConfig, training: LabelledData, testing: LabelledData, device: str) -> dict[str, Any]:
    """Accuracy in %, seconds, and quantiles of alpha and beta a layer at the end."""
    processes = this_process(chosen_device(device), config.precision)
    torch.manual_seed(config.seed)
    network = build_network(config.network(training.inputs.shape[-3:], int(training.labels.max()) + 1))
    network.to(processes.device)
    optimizer = make_optimizer(network, config)
    schedule = make_schedule(optimizer, config, steps_per_epoch(training, config))
    state = TrainingState(network, optimizer, schedule, np.random.default_rng(config.seed), None, processes)
    began = time.perf_counter()
    fit(state, training, testing, config, processes, after_step=lambda: None, after_epoch=lambda _: None)
    seconds = time.perf_counter() - began
    neurons = [layer.neuron for layer in network.spiking_layers.values()]
    ends = {
        decay: [np.quantile(getattr(n, decay).detach().cpu().numpy(), QUANTILES).round(4).tolist() for n in neurons]
        for decay in ("alpha", "beta")
    }
    return {"accuracy": 100 * state.epochs[-1]["test_accuracy"], "seconds": round(seconds, 1), **ends}


def report(runs: Runs, arguments: argparse.Namespace) -> str:
    """The tables, as Markdown."""
    hours = sum(each["seconds"] for each in runs.values()) / 3600
    lines = [
        "# Where learned decays help",
        "",
        f"Written by `python benchmarks/ablation.py` (torch {torch.__version__}, Python {platform.python_version()}, "
        f"threads: {arguments.threads}) from {len(runs)} trainings, {hours:.1f} hours in all. AdamW under a one-cycle "
        "schedule, no augmentation. Decays start at alpha 0.9 and beta 0.5; spread betas start evenly over "
        f"{RANGE[0]} to {RANGE[1]}. LIF's stay there. PLIF has alpha = 1 - beta.",
        "",
        "Accuracy is that on the test samples after the last epoch, in %, mean and sample deviation over the seeds. A "
        "lead is in points, seed by seed, mean ± standard error; **bold** where it is more than two of them. Betas are "
        "those of the last layer of neurons at the end: the lowest tenth, the median, the highest tenth, all seeds.",
        "",
        *conclusions(runs),
    ]
    for name, setting in SETTINGS.items():
        lines += table(name, setting, runs)
    lines += ["## What the betas become", "", "Quantiles of beta, DA-LIF a neuron, all seeds; dotted: where they "
              "started.", "", "![betas](ablation.png)", ""]  # fmt: skip
    return "\n".join(lines)


def table(name: str, setting: Setting, runs: Runs) -> list[str]:
    """One setting's section; rows that lack a seed are left out."""
    cells = list(dict.fromkeys(each[:-1] for each in setting.runs()))
    rows = []
    for cell in sorted(cells, key=lambda c: (c[0], not c[1], list(NEURONS).index(c[2]), c[3])):
        steps, norm, neuron, activation = cell
        ours = accuracies(runs, name, setting, cell)
        if ours is None:
            continue
        ends = np.mean([runs[(name, *cell, seed)]["beta"][-1] for seed in range(setting.seeds)], axis=0)
        betas = "-" if "learn" in NEURONS[neuron] and NEURONS[neuron]["learn"] == "spatial" else (
            f"{ends[10]:.2f}" if ends[2] == ends[18] else f"{ends[2]:.2f}, {ends[10]:.2f}, {ends[18]:.2f}"
        )  # fmt: skip
        rivals = [
            lead(ours, accuracies(runs, name, setting, (steps, norm, rival, act)))
            if neuron != rival else "-"
            for rival, act in (("LIF", "tanh"), ("PLIF", "tanh"), ("DA-LIF", "tanh"))
        ]  # fmt: skip
        by = "-" if NEURONS[neuron].get("learn") == "none" else activation
        accuracy = f"{statistics.mean(ours):.2f} ± {statistics.stdev(ours):.2f}"
        rows.append(
            f"| {steps} | {'yes' if norm else 'no'} | {neuron} | {by} | {accuracy} | {' | '.join(rivals)} | {betas} |"
        )
    if not rows:
        return []
    data, recipe = setting.samples, setting.recipe
    amount = "" if data[0] is None else f" A subset: {data[0]} samples to train on, {data[1]} to test."
    return [
        f"## {setting.title}",
        "",
        f"{recipe['epochs']} epochs, batch {recipe['batch_size']}, largest rate {recipe['lr']}, {setting.seeds} seeds."
        f"{amount}",
        "",
        "| T | batch norm | neuron | decays by | accuracy | over LIF | over PLIF | over DA-LIF | betas |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def conclusions(runs: Runs) -> list[str]:
    """A line a setting: the best neuron with decays a channel or neuron beside DA-LIF a layer and LIF."""
    lines = ["| data | T | best with decays a channel or neuron | its lead over LIF | over PLIF | over one a layer |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name, setting in SETTINGS.items():
        for steps in sorted(setting.steps):
            found = {n: accuracies(runs, name, setting, (steps, True, n, "tanh")) for n in setting.neurons}
            many = {n: a for n, a in found.items() if a and "decays_per" in NEURONS[n] and "learn" not in NEURONS[n]}
            if not many or not all(found.get(n) for n in ("LIF", "PLIF", "DA-LIF")):
                continue
            best = max(many, key=lambda n: statistics.mean(many[n] or [0]))
            leads = " | ".join(lead(many[best] or [], found[n]) for n in ("LIF", "PLIF", "DA-LIF"))
            lines.append(f"| {setting.title} | {steps} | {best} | {leads} |")
    return [*lines, ""]


def accuracies(runs: Runs, name: str, setting: Setting, cell: tuple[Any, ...]) -> list[float] | None:
    """One a seed; None where one is missing."""
    keys = [(name, *cell, seed) for seed in range(setting.seeds)]
    return [runs[key]["accuracy"] for key in keys] if all(key in runs for key in keys) else None


def lead(ours: list[float], theirs: list[float] | None) -> str:
    if theirs is None:
        return ""
    leads = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, error = statistics.mean(leads), statistics.stdev(leads) / len(leads) ** 0.5
    text = f"{mean:+.2f} ± {error:.2f}"
    return f"**{text}**" if abs(mean) > 2 * error else text


def plot(runs: Runs, path: Path) -> None:
    os.environ.setdefault("MPLBACKEND", "agg")
    import matplotlib.pyplot as plt

    shown = {}
    for name, setting in SETTINGS.items():
        for neuron in ("DA-LIF a neuron", "DA-LIF a neuron, betas spread"):
            keys = [(name, setting.steps[-1], True, neuron, "tanh", seed) for seed in range(setting.seeds)]
            if all(key in runs for key in keys):
                shown.setdefault(name, {})[neuron] = np.mean([runs[key]["beta"][-1] for key in keys], axis=0)
    if not shown:
        return
    figure, axes = plt.subplots(1, len(shown), figsize=(2.6 * len(shown), 3.2), sharey=True, squeeze=False)
    for axis, (name, curves) in zip(axes[0], shown.items(), strict=True):
        for (neuron, values), colour in zip(curves.items(), ("C0", "C1"), strict=False):
            spread = "spread" in neuron
            start = RANGE if spread else (0.5, 0.5)
            axis.plot(QUANTILES, values, color=colour, label="from a range" if spread else "from 0.5")
            axis.plot((0, 1), start, color=colour, linestyle=":")
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("quantile")
    axes[0][0].set_ylabel("beta, last layer")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
