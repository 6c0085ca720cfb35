"""`make fuzz-readers`: damaged files of every kind. A reader may take one or refuse it in one line, and nothing else.

Each file is read in a worker with limited memory and time. Whatever else happens there (an error of another type, a
crash, no answer) is a finding: it is kept in runs/fuzz-readers with the seed that makes it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalif_deploy.hw_models.errors import UserError
from tests.hostile_files import damaged, write_valid

FOLDER = Path("runs/fuzz-readers")
MEMORY = 2 << 30  # bytes that a reader may ask for above what the libraries take
SECONDS = 30.0  # for one file


def read_checkpoint(path: Path) -> None:
    from dalif_deploy.networks.checkpoint import load_checkpoint

    load_checkpoint(path)


def read_graph(path: Path) -> None:
    """As far as the chip's integers."""
    from dalif_deploy.converters.sources import load_source
    from dalif_deploy.hw_models.compiler import compile_graph

    source = load_source(path)
    compile_graph(source.graph, chip="loihi2", steps=2, dt=source.dt, input_mode="graded")


def read_chip_network(path: Path) -> None:
    """As far as two steps of a sample of zeros."""
    from dalif_deploy.hw_models.chip_network.file import read_chip_network as read
    from dalif_deploy.hw_models.samples.encode import encode_input
    from dalif_deploy.hw_models.simulator import simulate

    network = read(path)
    if sum(int(np.prod(p.shape)) for p in (*network.populations.values(), *network.inputs.values())) < 1 << 16:
        zeros = {name: np.zeros((1, *item.shape)) for name, item in network.inputs.items()}
        simulate(network, encode_input(network, zeros, steps=2))


def read_net_file(path: Path) -> None:
    from dalif_deploy.converters.netx.read import read_net

    read_net(path)


def read_export(path: Path) -> None:
    from dalif_deploy.converters.artefact import load_artefact

    artefact = load_artefact(path.parent)
    _ = artefact.steps, artefact.dt, artefact.compiled


def read_samples(path: Path) -> None:
    from dalif_deploy.data import load_data

    load_data(str(path))


def read_idx(path: Path) -> None:
    from dalif_deploy.data.idx_images import read_idx_file

    read_idx_file(path.parent, path.name)


def read_pickle(path: Path) -> None:
    from dalif_deploy.data import cifar

    cifar.read_batch(path)


def read_picture(path: Path) -> None:
    from dalif_deploy.data import cifar

    cifar.read_picture(path)


def read_labels(path: Path) -> None:
    from dalif_deploy.data import cifar

    images = np.zeros((4, *cifar.SHAPE), np.uint8)
    cifar.labelled_images(images, cifar.read_labels(path), 10, "cifar10", path)


def read_config(path: Path) -> None:
    from dalif_deploy.cli.train import merged_config

    merged_config({}, {}, path, None)


def read_chip(path: Path) -> None:
    from dalif_deploy.hw_models.chips.description import read_chip_description

    read_chip_description(path)


def read_constants(path: Path) -> None:
    from dalif_deploy.hw_models.energy.constant_set import read_constants as read

    read(path)


def read_recording(path: Path) -> None:
    from dalif_deploy.data.event_recording import load_recording

    ending, _, content = path.read_bytes().partition(b"\0")
    known = ending.decode("latin1") if ending in (b".aedat4", b".es", b".dat", b".raw") else ".es"
    recording = path.with_suffix(known)
    recording.write_bytes(content)
    load_recording(recording, size=(8, 8), steps=2, window_ms=1.0)


READERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "checkpoint": ("model.pt", read_checkpoint),
    "graph": ("network.nir", read_graph),
    "chip network": ("network.nir", read_chip_network),
    "lava-dl .net": ("network.net", read_net_file),
    "export.json": ("export.json", read_export),
    "samples .npz": ("samples.npz", read_samples),
    "idx": ("t10k-images-idx3-ubyte", read_idx),
    "cifar pickle": ("test_batch", read_pickle),
    "cifar picture": ("test_batch.png", read_picture),
    "cifar labels": ("test_lables.json", read_labels),
    "config .json": ("config.json", read_config),
    "config .toml": ("config.toml", read_config),
    "config .yaml": ("config.yaml", read_config),
    "chip .toml": ("chip.toml", read_chip),
    "constants .toml": ("constants.toml", read_constants),
    "recording": ("recording", read_recording),
}


@dataclass
class Found:
    """What came of a kind's files."""

    taken: int = 0
    refused: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


def hostile(kind: str, files: list[bytes], seed: int, number: int) -> bytes:
    """The file with this number."""
    rng = np.random.default_rng([seed, sorted(READERS).index(kind), number])
    return damaged(kind, files[int(rng.integers(len(files)))], rng)


def fuzz_readers(inputs: int, seed: int, kinds: list[str] | None = None, first: int = 0) -> dict[str, Found]:
    """Reads `inputs` files, as many of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        valid = write_valid(Path(folder))
        chosen = [kind for kind in READERS if valid[kind] and (kinds is None or kind in kinds)]
        torch.set_num_threads(1)  # a worker is a fork, which threads would not survive
        for kind in chosen:
            for content in valid[kind]:  # whole files are taken; and the workers find everything imported
                READERS[kind][1](_written(Path(folder), kind, content))
        return {kind: _fuzz_kind(kind, valid[kind], seed, first, -(-inputs // len(chosen))) for kind in chosen}


def _fuzz_kind(kind: str, files: list[bytes], seed: int, first: int, count: int) -> Found:
    found, number = Found(), first
    context = multiprocessing.get_context("fork")
    while number < first + count:
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(theirs, kind, files, seed, number, first + count))
        worker.start()
        theirs.close()
        began = time.monotonic()
        while number < first + count:
            try:
                outcome = ours.recv() if ours.poll(SECONDS) else f"no answer in {SECONDS:.0f} s"
            except EOFError:
                worker.join()
                outcome = f"the process died ({worker.exitcode})"
            alive = isinstance(outcome, tuple)
            outcome, seconds = outcome if alive else (outcome, time.monotonic() - began)
            found.slowest = max(found.slowest, seconds)
            if outcome == "taken":
                found.taken += 1
            elif outcome.startswith("refused: "):
                found.refused += 1
                found.reasons[outcome[9:70]] += 1
            else:
                found.faults.append((number, outcome))
            number, began = number + 1, time.monotonic()
            if not alive:
                break
        worker.kill()
        worker.join()
    return found


def _written(folder: Path, kind: str, content: bytes) -> Path:
    path = folder / READERS[kind][0]
    path.write_bytes(content)
    return path


def _work(out: Connection, kind: str, files: list[bytes], seed: int, number: int, last: int) -> None:
    read = READERS[kind][1]
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # HDF5 and image libraries talk
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        for each in range(number, last):
            path = _written(Path(folder), kind, hostile(kind, files, seed, each))
            began = time.monotonic()
            out.send((_outcome(read, path), time.monotonic() - began))
            if kind == "recording":
                for left in Path(folder).iterdir():
                    left.unlink()


def _outcome(read: Callable[[Path], Any], path: Path) -> str:
    try:
        read(path)
    except UserError as error:
        line = str(error)
        return f"refused: {error.what}" if line and "\n" not in line else f"an error of several lines: {line!r}"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
    return "taken"


def main() -> int:
    """Exit code 1 at a finding."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--inputs", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--first", type=int, default=0, help="number of the first file of each kind")
    arguments.add_argument("--kinds", nargs="+", choices=READERS)
    options = arguments.parse_args()
    found = fuzz_readers(options.inputs, options.seed, options.kinds, options.first)
    for kind, each in found.items():
        total = each.taken + each.refused + len(each.faults)
        print(f"{kind:16} {total:7,} files, {each.refused:7,} refused, {each.taken:7,} taken, "
              f"{len(each.faults)} findings, slowest {each.slowest:.1f} s", flush=True)  # fmt: skip
        for number, outcome in each.faults[:20]:
            print(f"    --seed {options.seed} --kinds {kind!r} --first {number} --inputs 1: {outcome}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory of a worker, libraries included: {peak:,.0f} MiB")
    return 1 if any(each.faults for each in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
