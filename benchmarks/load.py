"""Large loads: many images, a long Lava session, a network of ten million neurons, and how cost grows.

    python -m benchmarks.load images --artefact DIR --data fashion-mnist:test
    python -m benchmarks.load lava --artefact DIR --data digits:train
    python -m benchmarks.load large
    python -m benchmarks.load growth
    python -m benchmarks.load plots

DIR is a folder of `dalif-export --target lava`. Each writes its figures into --out (JSON); `plots` draws them for
docs/load.md. Memory is the largest resident set of a process of its own; for Lava, the proportional sets of all its
processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

COMMANDS = {"simulate": ("--engine", "fast"), "energy": ()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["images", "lava", "large", "growth", "plots"])
    parser.add_argument("--artefact", type=Path, help="folder of dalif-export --target lava")
    parser.add_argument("--data", help="samples, as dalif-simulate takes them")
    parser.add_argument("--samples", type=int, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("runs/load"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what in ("images", "lava") and not (arguments.artefact and arguments.data):
        parser.error("needs --artefact and --data")
    if arguments.what == "plots":
        from benchmarks.load_plots import draw

        draw(arguments.out, Path("docs"))
        return
    if arguments.what == "images":
        found: Any = images(arguments.artefact, arguments.data, arguments.samples or [1000, 5000, 10000])
    elif arguments.what == "lava":
        found = lava(arguments.artefact, arguments.data, (arguments.samples or [1000])[0])
    elif arguments.what == "large":
        found = large()
    else:
        from benchmarks.load_growth import growth

        found = growth()
    (arguments.out / f"{arguments.what}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def images(artefact: Path, data: str, limits: list[int]) -> list[dict[str, Any]]:
    """Each command with each number of images, in a process of its own."""
    rows = []
    for command, options in COMMANDS.items():
        for limit in limits:
            entry = f"from dalif_deploy.cli.{command} import main; main()"
            words = [sys.executable, "-c", entry, str(artefact), "--data", data]
            seconds, peak = measured_process([*words, *options, "--limit", str(limit)])
            rows.append({"command": f"dalif-{command}", "samples": limit, "seconds": seconds, "peak_bytes": peak})
            print(f"dalif-{command}, {limit:6,} samples: {seconds:7.1f} s, at most {peak / 1e6:7.1f} MB", flush=True)
    return rows


def measured_process(command: list[str]) -> tuple[float, int]:
    """Seconds, and the largest resident set in bytes."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.monotonic() - began, usage.ru_maxrss * 1024


def lava(artefact: Path, data: str, samples: int) -> dict[str, Any]:
    """One session; its memory and the time it takes, along the way."""
    import psutil

    from dalif_deploy.converters.artefact import load_artefact
    from dalif_deploy.converters.lava.lava_session import run_lava
    from dalif_deploy.data import load_data
    from dalif_deploy.hw_models.samples.stream import InputStream
    from dalif_deploy.hw_models.simulator import simulate

    network = load_artefact(artefact).network
    loaded = load_data(data, steps=network.steps).inputs
    # samples of the set again and again, where it is smaller
    stream = InputStream(network, loaded[np.arange(samples) % len(loaded)])
    me, rows = psutil.Process(), []

    def look(done: int, _: int) -> None:
        now = time.monotonic()
        if not rows or now - rows[-1]["at"] > 0.5:
            family = me.children(recursive=True)
            memory = [memory_kinds(child.pid) for child in family]
            row = {kind: sum(each[kind] for each in memory) for kind in ("Pss", "Pss_Anon", "Pss_File", "Pss_Shmem")}
            files = sum(child.num_fds() for child in family)
            rows.append({"at": now, "sample": done / stream.steps, **row, "own": me.memory_info().rss, "files": files})

    recording = run_lava(network, stream, record=("spikes",), progress=look)
    mine = simulate(network, stream, record=("spikes",))
    for name, spikes in mine.spikes.items():
        np.testing.assert_array_equal(recording.spikes[name], spikes)
    running = [row for row in rows if row["sample"] > 0]
    # a line through each; the first tenth of the session warms up
    later = [row for row in running if row["sample"] > samples / 10]
    along = np.array([row["sample"] for row in later])
    seconds = np.diff([row["at"] for row in later]) / np.diff(along)
    found = {
        "samples": samples,
        "steps": stream.steps,
        "neurons": sum(p.size for p in network.populations.values()),
        "rows": [{**row, "at": row["at"] - rows[0]["at"]} for row in rows],
        "bytes_a_sample": {
            k: float(np.polyfit(along, [row[k] for row in later], 1)[0]) for k in ("Pss_Anon", "Pss_File")
        },
        # what the session writes and reads by mapped files: each layer's spikes, its output, the messages
        "file_bytes_a_sample": sum(a.nbytes for a in (*recording.spikes.values(), *recording.outputs.values()))
        / samples
        + sum(a.nbytes for a in stream.part(slice(1)).messages.values()),
        "seconds_a_sample": [float(np.median(part)) for part in np.array_split(seconds, 9)],
    }
    print(
        {k: round(v) for k, v in found["bytes_a_sample"].items()},
        "bytes a sample, of files",
        found["file_bytes_a_sample"],
    )
    print(*(f"{each:.4f}" for each in found["seconds_a_sample"]))
    return found


def memory_kinds(pid: int) -> dict[str, int]:
    """Proportional resident bytes of a process by kind, as Linux sums them up."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def large() -> dict[str, Any]:
    """Builds, simulates and maps the large network, each in a process of its own."""
    rows = {}
    for step in ("build", "simulate", "loihi1", "loihi2", "report"):
        command = [sys.executable, "-m", "benchmarks.load_large", step]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        rows[step] = {"exit": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}
        rows[step] |= {"peak_bytes": usage.ru_maxrss * 1024}
        rows[step] |= json.loads(told.splitlines()[-1]) if told.strip() else {}
        print(step, rows[step], flush=True)
    return rows


if __name__ == "__main__":
    main()
