"""How fast the bit-exact simulator and the network as C are, against Lava and the float network in plain PyTorch.

    python benchmarks/simulate.py [--dataset cifar10 --data-root DIR | --model FILE] [--images 2000] [--lava-images 10]

One run, one network, the same images. The float network, the simulator and engine c take turns, so that what else the
machine does falls on all alike; figures are medians over the turns, with their range. Times include the encoding of
images into the chip's integers (with an input of biases, that is the first layer); the compiler's time stands apart.
Engine c runs as many images a call as the float network; "one by one" is a call for each image. Lava runs in one
session; its steady rate, which the ratio is of, leaves out the session's start. What is claimed is claimed for the
networks of Fashion-MNIST and CIFAR-10, whose layers are large enough; for others the figures are printed alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate_chunks
from dalif_deploy.networks import SpikingNetwork, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training.config import DEFAULTS, TrainConfig

FORMS = (("loihi2", "graded"), ("loihi2", "bias"), ("loihi1", "bias"))
RECORDS = {"outputs": (), "counts": ("counts",), "spikes": ("spikes",)}
FLOAT_BATCHES = (16, 64, 256)
TRAINING_BATCHES = 150
ONE_BY_ONE = 64  # images
# what is claimed, for networks of these data sets
CLAIMED_FOR = ("fashion-mnist", "cifar10")
LEAST_OVER_LAVA = 1000
MOST_OVER_FLOAT = {"outputs": 1.5, "c": 0.5}
MOST_ONE_BY_ONE = 0.1  # engine c over the float network, an image at a time


def main() -> int:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    network, data = trained_network(arguments)
    arguments.claimed = data["dataset"] in CLAIMED_FOR
    images = np.asarray(data["test"].inputs[: arguments.images])
    labels = data["test"].labels[: arguments.images]
    accuracy = float((float_outputs(network, images, 64).argmax(1) == labels).mean())
    batch = best_batch(network, images[:512])
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(images)} images, {network.steps} steps")
    print(f"float network: accuracy {100 * accuracy:.2f} %, best batch {batch}")
    results = [
        measure_form(network, data["step"], images, labels, batch, chip, mode, arguments) for chip, mode in FORMS
    ]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0 if all(result["holds"] for result in results) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="checkpoint of dalif-train; briefly trained here if missing")
    parser.add_argument("--dataset", default="fashion-mnist", help="whose network of dalif-train is trained here")
    parser.add_argument("--data-root", help="folder with the data sets")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--lava-images", type=int, default=10, help="0 leaves Lava out")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of torch; 1 suffers least from others")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def trained_network(arguments: argparse.Namespace) -> tuple[SpikingNetwork, dict]:
    """The network in evaluation mode, and its data: that asked for, or digits where it is missing."""
    root = arguments.data_root
    if arguments.model is not None:
        checkpoint = load_checkpoint(arguments.model)
        dataset = checkpoint.info["dataset"]
        return checkpoint.network, {
            "dataset": dataset,
            "test": load_data(f"{dataset}:test", root),
            "step": checkpoint.info["input_step"],
        }
    dataset = arguments.dataset
    try:
        training = load_data(f"{dataset}:train", root)
    except UserError as error:
        print(f"{error}; using digits", file=sys.stderr)
        dataset = "digits"
        training = load_data(f"{dataset}:train")
    data = {"dataset": dataset, "test": load_data(f"{dataset}:test", root), "step": training.step}
    return briefly_trained(dataset, training), data


def briefly_trained(dataset: str, training: LabelledData) -> SpikingNetwork:
    """The default network of dalif-train after a few batches: enough for realistic spikes."""
    config = TrainConfig(dataset=dataset, **DEFAULTS[dataset])
    torch.manual_seed(config.seed)
    network = build_network(config.network(training.inputs.shape[1:], int(training.labels.max()) + 1))
    labels = torch.from_numpy(training.labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr)
    for _ in range(TRAINING_BATCHES):
        chosen = torch.randint(len(labels), (config.batch_size,))
        # an index reads what a data set of files does not hold in memory
        loss = F.cross_entropy(network(torch.from_numpy(training.inputs[chosen.numpy()])), labels[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return network.eval()


def float_outputs(network: SpikingNetwork, images: np.ndarray, batch: int) -> np.ndarray:
    with torch.inference_mode():
        return torch.cat([network(part) for part in torch.from_numpy(images).split(batch)]).numpy()


def split(images: np.ndarray, size: int) -> list[np.ndarray]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def best_batch(network: SpikingNetwork, images: np.ndarray) -> int:
    times = {batch: timed(lambda b=batch: float_outputs(network, images, b), 5) for batch in FLOAT_BATCHES}
    return min(times, key=lambda batch: min(times[batch]))


def measure_form(
    network: SpikingNetwork,
    step: float,
    images: np.ndarray,
    labels: np.ndarray,
    batch: int,
    chip: str,
    mode: str,
    arguments: argparse.Namespace,
) -> dict:
    compiled = compile_graph(
        network_to_nir(network, input_step=step),
        chip=chip, steps=network.steps, dt=1e-4, input_mode=mode, input_step=step,
    ).network  # fmt: skip
    encoded = encode_input(compiled, images)
    (output,) = simulated_outputs(compiled, encoded).values()
    print(f"\n{chip}, input by {mode}: accuracy {100 * float((output.argmax(1) == labels).mean()):.2f} %")
    runs: dict[str, Callable[[], object]] = {"float": lambda: float_outputs(network, images, batch)}
    for name, record in RECORDS.items():
        runs[name] = lambda record=record: run_simulator(compiled, encode_input(compiled, images), record)
    runs["encoding"] = lambda: encode_input(compiled, images)
    began = time.perf_counter()
    built = CNetwork(compiled, cache=False)
    print(f"  built as C in {time.perf_counter() - began:.1f} s (once: it is kept)")
    np.testing.assert_array_equal(next(iter(built.run(encoded, ()).outputs.values())), output)
    for part in split(images, 64):
        for name, values in built.run_data(part, ()).outputs.items():
            np.testing.assert_array_equal(values, built.run(encode_input(compiled, part), ()).outputs[name])
    runs["c"] = lambda: [built.run_data(part, (), threads=arguments.threads) for part in split(images, batch)]
    few = images[:ONE_BY_ONE]
    runs["float one by one"] = lambda: float_outputs(network, few, 1)
    runs["c one by one"] = lambda: [built.run_data(part, (), threads=1) for part in split(few, 1)]
    times = interleaved(runs, arguments.turns)
    samples = {name: len(few) if "one by one" in name else len(images) for name in runs}
    per_sample = {name: [1e3 * t / samples[name] for t in each] for name, each in times.items()}
    result = {"chip": chip, "input": mode, "milliseconds": per_sample, "holds": True}
    for name, each in per_sample.items():
        print(f"  {label(name):46} {spread(each)} ms a sample")
    for name, against in (*((each, "float") for each in (*RECORDS, "c")), ("c one by one", "float one by one")):
        # the turns are pairs: what the machine was doing fell on both
        ratios = [ours / theirs for ours, theirs in zip(times[name], times[against], strict=True)]
        ratio = result[f"over_float_{name.replace(' ', '_')}"] = statistics.median(ratios)
        most = MOST_OVER_FLOAT.get(name)
        if against != "float":
            most = MOST_ONE_BY_ONE
        verdict = claim(ratio <= most, f"at most {most}", arguments, result) if most else ""
        print(f"  {f'{short(name)} / {against}':46} {spread(ratios)} times{verdict}")
    if arguments.lava_images:
        measure_lava(compiled, encoded.part(slice(0, arguments.lava_images)), per_sample, result, arguments)
    return result


def claim(holds: bool, words: str, arguments: argparse.Namespace, result: dict) -> str:
    if not arguments.claimed:
        return ""
    result["holds"] &= holds
    return f"; claimed: {words}, {'holds' if holds else 'DOES NOT HOLD'}"


def short(name: str) -> str:
    return f"simulator ({name})" if name in RECORDS else f"engine {name}"


def label(name: str) -> str:
    if name.startswith("float"):
        return f"float network, plain PyTorch inference{name.removeprefix('float')}"
    if name in ("c", "c one by one"):
        return f"engine {name}, with encoding"
    return "encoding alone" if name == "encoding" else f"simulator with encoding, recording {name}"


def measure_lava(
    compiled: ChipNetwork, encoded: EncodedInput, per_sample: dict, result: dict, arguments: argparse.Namespace
) -> None:
    from dalif_deploy.converters.lava.lava_session import run_lava

    arrivals: list[tuple[float, int]] = []
    began = time.perf_counter()
    recording = run_lava(
        compiled, encoded, record=(), progress=lambda done, _: arrivals.append((time.perf_counter(), done))
    )
    whole = (time.perf_counter() - began) / encoded.samples
    for name, ours in simulated_outputs(compiled, encoded).items():
        np.testing.assert_array_equal(recording.outputs[name], ours)
    first, last = next(a for a in arrivals if a[1] > 0), arrivals[-1]
    steady = (last[0] - first[0]) / (last[1] - first[1]) * encoded.steps
    ours = statistics.median(per_sample["outputs"]) / 1e3
    in_c = statistics.median(per_sample["c"]) / 1e3
    result |= {"lava_seconds": whole, "lava_steady_seconds": steady, "over_lava": steady / ours}
    result["c_over_lava"] = steady / in_c
    print(f"  Lava, {encoded.samples} samples: {1e3 * steady:.0f} ms a sample, {1e3 * whole:.0f} with its start")
    verdict = claim(steady / ours >= LEAST_OVER_LAVA, f"at least {LEAST_OVER_LAVA}", arguments, result)
    print(f"  simulator's samples a second: {steady / ours:,.0f} times Lava's{verdict}; {whole / ours:,.0f} with start")
    print(f"  engine c's samples a second: {steady / in_c:,.0f} times Lava's")


def simulated_outputs(compiled: ChipNetwork, encoded: EncodedInput) -> dict[str, np.ndarray]:
    parts = [part.outputs for _, part in simulate_chunks(compiled, encoded, record=())]
    return {name: np.concatenate([part[name] for part in parts]) for name in compiled.outputs}


def run_simulator(compiled: ChipNetwork, encoded: EncodedInput, record: tuple[str, ...]) -> None:
    for _ in simulate_chunks(compiled, encoded, record=record):
        pass


def interleaved(runs: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Seconds of each run, all taking turns; a first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            seconds = timed(run, 1)
            if turn:
                times[name] += seconds
    return times


def timed(run: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return seconds


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):7.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    sys.exit(main())
