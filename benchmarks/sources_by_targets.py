"""Networks trained in each framework, exported, and run in every engine: who gives whose spikes, as a table.

    python benchmarks/sources_by_targets.py [--write docs/interchange.md] [--images 100] [--epochs 6]

Every framework trains the same small convolutional network on scikit-learn's digits, with its own neurons and its own
training loop idiom; the module goes straight from memory into `dalif_deploy.export`, and all engines see the same test
images, a constant current for 8 steps. Needs the frameworks; one that is missing is a row that says so.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import dalif_deploy
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError

STEPS = 8


def snntorch_net() -> tuple[nn.Module, Callable]:
    import snntorch as snn
    from snntorch import utils

    # reset by subtraction, a step late: the framework's default
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), snn.Leaky(beta=0.8, learn_beta=True, init_hidden=True),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(192, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )  # fmt: skip

    def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        utils.reset(model)
        out = torch.stack([model(step)[0] for step in x])
        utils.reset(model)
        return out

    return net, run


def spikingjelly_net() -> tuple[nn.Module, Callable]:
    from spikingjelly.activation_based import functional, layer, neuron

    net = nn.Sequential(
        layer.Conv2d(1, 12, 3, padding=1), neuron.ParametricLIFNode(v_reset=None),
        layer.AvgPool2d(2), layer.Flatten(), layer.Linear(192, 10), neuron.LIFNode(tau=2.0),
    )  # fmt: skip

    def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(model)
        out = torch.stack([model(step) for step in x])
        functional.reset_net(model)
        return out

    return net, run


def norse_net() -> tuple[nn.Module, Callable]:
    import norse.torch as norse

    def cell() -> nn.Module:
        return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(400.0), v_th=torch.tensor(0.4)))

    net = norse.SequentialState(
        nn.Conv2d(1, 12, 3, padding=1), cell(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(192, 10), cell()
    )

    def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        state, out = None, []
        for step in x:
            each, state = model(step, state)
            out.append(each)
        return torch.stack(out)

    return net, run


SOURCES: dict[str, Callable[[], tuple[nn.Module, Callable]]] = {
    "snnTorch, Leaky": snntorch_net,
    "SpikingJelly, PLIF and LIF": spikingjelly_net,
    "Norse, LIFBox": norse_net,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file to write; printed without it")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    text = document(arguments.images, arguments.epochs)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    else:
        print(text)


def document(images: int, epochs: int) -> str:
    train, test = load_data("digits:train"), load_data("digits:test")
    data = np.asarray(test.inputs[:images], dtype=np.float32), test.labels[:images]
    results: dict[str, dict[str, Any] | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, build) in enumerate({**SOURCES, "dalif-train, DA-LIF": None}.items()):
            out = Path(folder) / str(number)
            try:
                results[name] = from_dalif(out, data, epochs) if build is None else from_module(build, out, train, data, epochs)  # noqa: E501 # fmt: skip
            except (ImportError, UserError) as error:
                results[name] = str(error)
        results["lava-dl, .net file"] = from_net_file(Path(folder) / "net")
    return page(results, images)


def from_module(build: Callable, out: Path, train, data, epochs: int) -> dict[str, Any]:
    torch.manual_seed(0)
    model, run = build()
    x, y = torch.from_numpy(np.asarray(train.inputs, dtype=np.float32)), torch.from_numpy(train.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(run(model, x[batch].expand(STEPS, *x[batch].shape)).mean(0) * 10, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    images, labels = torch.from_numpy(data[0]), data[1]
    with torch.no_grad():
        own = run(model, images.expand(STEPS, *images.shape)).sum(0).argmax(1).numpy()
    net = dalif_deploy.export(model, images[:16], out=out, target="onnx", steps=STEPS, input_mode="bias")
    return {"own": float((own == labels).mean()), **dalif_deploy.check(net, data).to_dict()}


def from_dalif(out: Path, data, epochs: int) -> dict[str, Any]:
    from dalif_deploy.training import TrainConfig, train
    from dalif_deploy.training.config import with_defaults

    options = {"dataset": "digits", "channels": [12, 16], "strides": [1, 2], "steps": STEPS, "epochs": epochs}
    metrics = train(TrainConfig(**with_defaults(options)), out / "run")
    net = dalif_deploy.export(out / "run" / "model.pt", out=out / "net", target="onnx", input_mode="bias")
    return {"own": metrics["test_accuracy"], **dalif_deploy.check(net, data).to_dict()}


def from_net_file(out: Path) -> dict[str, Any]:
    """The file and the spikes of tests/data/netx, which lava-dl itself has run: it carries no labels."""
    recorded = Path(__file__).parents[1] / "tests" / "data" / "netx"
    net = dalif_deploy.export(recorded / "network.net", out=out, target="onnx", steps=4)
    return {
        "own": None,
        **dalif_deploy.check(net, np.load(recorded / "seen.npz")["messages"].astype(np.float32)).to_dict(),
    }


def page(results: dict[str, dict[str, Any] | str], images: int) -> str:
    engines = list(
        dict.fromkeys(e for r in results.values() if isinstance(r, dict) for e in (*r["engines"], *r["not_run"]))
    )
    rows, notes = [], []
    for name, result in results.items():
        if isinstance(result, str):
            rows.append([name, "-", *["-"] * len(engines)])
            notes.append(f"- {name}: {result}")
            continue
        cells = []
        for engine in engines:
            row = result["engines"].get(engine)
            if row is None:
                cells.append("-")
                reason = result["not_run"][engine].split(": ", 1)[-1]  # without the temporary folder's name
                notes.append(f"- {name}, {engine}: {reason}")
                continue
            shares = row["float_agreement"].values()
            mismatches = sum(row["mismatches"].values())
            exact = (
                f", {mismatches} of {sum(row['compared'].values()):,} differ from {row['against']}"
                if row["against"]
                else ""
            )
            right = "" if row["accuracy"] is None else f"{100 * row['accuracy']:.0f} %; "
            cells.append(f"{right}spikes {percent(min(shares))}{exact}")
        own = "-" if result["own"] is None else f"{100 * result['own']:.0f} %"
        rows.append([name, own, *cells])
    header = ["trained in", "its own accuracy", *engines]
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    causes = "\n".join(
        f"- {kind}: {why}" for kind, why in next(r for r in results.values() if isinstance(r, dict))["causes"].items()
    )
    reasons = "\n".join(dict.fromkeys(notes)) or "- none"
    return f"""# Sources by engines

Written by `python benchmarks/sources_by_targets.py --write docs/interchange.md`; do not edit.

Each framework trained a small convolutional network on digits. The trained module went straight into
`dalif_deploy.export`, and every engine then ran the same {images} test images for {STEPS} steps.

The framework's own accuracy is on the same images; that of dalif-train is on all test images. Each other cell shows:

- the accuracy;
- the share of spikes that equal those of engine nir, in the layer where it is lowest;
- how many values differ from the engine named: spikes, and membranes where both engines compute with integers.

{table}

The row of lava-dl has no accuracy, because its input is 4 samples of random spikes without labels. lava-dl itself ran
the same file to the same bits (`tests/test_netx_recorded.py`). sinabs and Rockpool are read from NIR files: see
[how simulators read the same NIR graph](nir-dialects.md).

Why an engine can differ from engine nir:

{causes}

Why some cells are empty:

{reasons}
"""


def percent(share: float) -> str:
    return "100 %" if share == 1 else f"{int(share * 1e4) / 1e2:.2f} %"


if __name__ == "__main__":
    main()
