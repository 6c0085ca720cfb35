"""Puts a trained network into the package, with its card, and writes docs/models.md from all cards,
and the table that README.md and docs/index.md show.

    dalif-train --recipe digits --out runs/digits
    python benchmarks/model_card.py runs/digits [--check 50] [--chips loihi2:8 loihi2:4 loihi1:8]

Each export is run over all test samples in the exact simulator; the first of them also in every engine at hand, Lava
among them where it is installed, bit against bit; energy is counted over the first 200. With no folder named, only the
page is written anew.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import dalif_deploy as dd
from dalif_deploy.data import load_data
from dalif_deploy.data.data_sets import DATA_SETS
from dalif_deploy.hw_models.compiler import ScaleRule
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.reports.table_parts import energy_range
from dalif_deploy.training.recipe import read_recipe
from dalif_deploy.zoo import model_card, zoo_names

ROOT = Path(__file__).parents[1]
ZOO, PAGE = ROOT / "dalif_deploy" / "zoo", ROOT / "docs" / "models.md"
PRICED = 200  # samples
SHORT = {ROOT / "README.md": "docs/models.md", ROOT / "docs" / "index.md": "models.md"}  # where the page is from there
BEGIN, END = "<!-- written by benchmarks/model_card.py -->\n", "<!-- end -->\n"
SHOWN = (("loihi2", 8), ("loihi2", 4), ("loihi1", 8))  # chip, bits of a weight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="folder of dalif-train --recipe")
    parser.add_argument("--check", type=int, default=50, help="samples that all engines run")
    parser.add_argument("--chips", nargs="+", default=["loihi2:8", "loihi2:4", "loihi1:8"], help="CHIP:BITS")
    parser.add_argument("--data-root")
    arguments = parser.parse_args()
    if arguments.run is not None:
        add(arguments)
    PAGE.write_text(page(), encoding="utf-8")
    for path in SHORT:
        path.write_text(with_short_table(path), encoding="utf-8")


def add(arguments: argparse.Namespace) -> None:
    """The folder of one network in the package, replaced if it is there."""
    metrics = json.loads((arguments.run / "metrics.json").read_text(encoding="utf-8"))
    config, name = metrics["config"], metrics["config"]["recipe"]
    changed = changes(config)
    if name is None or changed:
        raise SystemExit(f"{arguments.run} was not trained by a recipe as it stands: {changed or 'no recipe'}")
    checkpoint = load_checkpoint(arguments.run / "model.pt")
    testing = load_data(f"{config['dataset']}:test", arguments.data_root, steps=config["steps"])
    card = {
        "recipe": name,
        "seed": config["seed"],
        "config": config,
        "test_accuracy": metrics["test_accuracy"],
        "test_samples": len(testing.labels),
        "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "hours": sum(epoch["seconds"] for epoch in metrics["epochs"]) / 3600,
        "curve": [{key: epoch[key] for key in ("epoch", "loss", "test_accuracy")} for epoch in metrics["epochs"]],
        "data": {"name": config["dataset"], "licence": DATA_SETS[config["dataset"]].licence},
        "chips": [chip_figures(arguments, each, testing) for each in arguments.chips],
        "versions": metrics["versions"],
    }
    folder = ZOO / name
    folder.mkdir(exist_ok=True)
    shutil.copy(arguments.run / "model.pt", folder / "model.pt")
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def changes(config: dict) -> list[str]:
    """Fields that a run has otherwise than its recipe."""
    wanted = read_recipe(config["recipe"]).fields if config["recipe"] else {}
    neuron = wanted.pop("neuron", {})
    found = [key for key, value in wanted.items() if config[key] != value]
    return found + [f"neuron.{key}" for key, value in neuron.items() if config["neuron"][key] != value]


def chip_figures(arguments: argparse.Namespace, wanted: str, testing) -> dict:
    """One export: accuracy, check, cores, energy a sample."""
    chip, bits = wanted.split(":")
    samples = testing.inputs, testing.labels
    with tempfile.TemporaryDirectory() as folder:
        # with few bits a scale for each channel
        rule = ScaleRule(group="channel") if int(bits) < 8 else None
        net = dd.export(arguments.run / "model.pt", out=Path(folder) / "x", chip=chip, weight_bits=int(bits),
                        scale_rule=rule)  # fmt: skip
        whole = dd.simulate(net, samples)
        agreement = dd.check(net, samples, limit=arguments.check)
        report = dd.energy_report(net, samples, limit=PRICED)
    energy, mapping = report.energy.total, report.mapping
    return {
        "chip": chip,
        "weight_bits": int(bits),
        "scale_group": "layer" if rule is None else "channel",
        "accuracy": whole.accuracy,
        "cores": mapping.cores,
        "energy": {"low": energy.low, "high": energy.high, "samples": PRICED, "status": "modelled"},
        "energy_words": f"{readable(energy.mean, 'J')} ({energy_range(energy)})",
        "check": {
            "samples": agreement.samples,
            "engines": sorted(agreement.engines),
            "bit_exact": agreement.bit_exact,
            "not_exercised": agreement.coverage.to_dict()["not_exercised"],
        },
    }


def page() -> str:
    lines = [
        "# Trained networks",
        "",
        "Written by `python benchmarks/model_card.py` from the networks' cards. Each comes with the package:",
        "",
        "    dalif-export zoo:digits --target lava --chip loihi2 -o digits-chip",
        "",
        "Accuracies are over all test images. The chip's are those of the exact simulator, with weights rounded",
        f"after the training. Energy a sample is modelled, over the first {PRICED} test images; the range is that of",
        "the constants.",
        "",
        "| network | float | chip, bits of a weight | on the chip | cores | energy a sample | bits checked |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in zoo_names():
        card = model_card(name)
        assert card is not None
        for chip in card["chips"]:
            check = chip["check"]
            same = f"{check['samples']} samples, {', '.join(check['engines'])}" if check["bit_exact"] else "not equal"
            cells = [
                name,
                f"{100 * card['test_accuracy']:.2f} %",
                f"{chip['chip']}, {chip['weight_bits']}",
                f"{100 * chip['accuracy']:.2f} %",
                str(chip["cores"]),
                chip["energy_words"],
                same,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    for name in zoo_names():
        card = model_card(name)
        assert card is not None
        curve = ", ".join(f"{100 * epoch['test_accuracy']:.1f}" for epoch in card["curve"])
        missed = {each for chip in card["chips"] for each in map(str, chip["check"]["not_exercised"])}
        lines += [
            "",
            f"## {name}",
            "",
            f"{read_recipe(name).about}. Trained by `dalif-train --recipe {name} --out runs/{name}`, seed "
            f"{card['seed']}, in {card['hours'] * 60:.1f} minutes of a shared machine; "
            f"{card['parameters']:,} parameters.",
            "",
            f"Test accuracy after each epoch, in %: {curve}.",
            "",
            f"Not exercised by the samples of the check: {'; '.join(sorted(missed)) or 'nothing'}.",
            "",
            f"Data: {card['data']['name']}, {card['data']['licence']}.",
        ]
    return "\n".join(lines) + "\n"


def with_short_table(path: Path) -> str:
    """The text of a page of SHORT, its table of networks written anew."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    heads = [f"{chip}, {bits} bits" for chip, bits in SHOWN]
    lines = [
        f"| [trained network]({SHORT[path]}) | data | steps | parameters | float | {' | '.join(heads)} |",
        f"|---|---|---|---|---|{'---|' * len(heads)}",
    ]
    for name in zoo_names():
        card = model_card(name)
        assert card is not None
        accuracies = {(chip["chip"], chip["weight_bits"]): f"{100 * chip['accuracy']:.2f} %" for chip in card["chips"]}
        cells = [
            f"`zoo:{name}`",
            card["data"]["name"],
            str(card["config"]["steps"]),
            f"{card['parameters']:,}",
            f"{100 * card['test_accuracy']:.2f} %",
            *(accuracies.get(shown, "-") for shown in SHOWN),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    table = "\n".join(lines)
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    main()
