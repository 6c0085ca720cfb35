"""A run for the worker, as plain files in a folder: job.json, the arrays beside it, and the results.

Nothing is pickled. Messages are read back memory-mapped, so that many samples need no memory.

Files that the worker writes: `<kind>-<index>.npy` (results), `progress.npy` (int64 a population: steps done),
`failure-<pid>-<thread>.txt` (traceback), `done`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.samples.recording import EncodedInput, EncodedSamples

PROGRESS = "progress.npy"
DONE = "done"
WRITTEN_AT_A_TIME = 256  # samples
REGISTERS = ("du", "dv", "vth", "bias_mant", "bias_exp", "v_min", "v_start")


@dataclass
class Job:
    """What the worker needs to know: a network (without host layers), its encoded input, what to record.

    The worker's own has its samples in memory-mapped files.
    """

    folder: Path
    network: ChipNetwork
    encoded: EncodedSamples
    record: frozenset[str]

    def result_path(self, kind: str, index: int) -> Path:
        """File of "spikes" or "membrane" (index of the population) or "output" (index of the output)."""
        return self.folder / f"{kind}-{index}.npy"

    def total_steps(self) -> int:
        """Lava steps of the run: all samples back to back, and the time until the deepest layer has seen the last."""
        return self.encoded.samples * self.encoded.steps + max(self.network.depths().values(), default=0)

    def results(self) -> list[tuple[str, int, tuple[int, ...], Any]]:
        """(kind, index, shape, dtype) of each result file."""
        n, steps = self.encoded.samples, self.encoded.steps
        files: list[tuple[str, int, tuple[int, ...], Any]] = []
        for kind, dtype in (("spikes", np.uint8), ("membrane", np.int32)):
            if kind in self.record:
                files += [
                    (kind, i, (n, steps, *p.shape), dtype) for i, p in enumerate(self.network.populations.values())
                ]
        for i, output in enumerate(self.network.outputs.values()):
            files.append(("output", i, (n, *self.network.populations[output.population].shape), np.int64))
        return files


def write_job(job: Job) -> None:
    """Writes job.json and arrays into the (existing, empty) folder, and the empty result files."""
    count = 0

    def put(array: np.ndarray) -> str:
        nonlocal count
        count += 1
        np.save(job.folder / f"array-{count}.npy", array, allow_pickle=False)
        return f"array-{count}.npy"

    network, encoded = job.network, job.encoded
    text = {
        "steps": encoded.steps,
        "samples": encoded.samples,
        "record": sorted(job.record),
        "inputs": [
            {
                "name": i.name,
                "shape": i.shape,
                "mode": i.mode,
                "min_level": int(i.min_level),
                "max_level": int(i.max_level),
            }
            for i in network.inputs.values()
        ],
        "populations": [
            {"name": p.name, "shape": p.shape, "reset": p.reset, "fires": p.fires}
            | {"refractory": p.refractory, "max_spikes": p.max_spikes}
            | {
                register: put(np.asarray(value, dtype=np.int64))
                for register in REGISTERS
                if (value := getattr(p, register)) is not None
            }
            for p in network.populations.values()
        ],
        "projections": [
            {
                "name": p.name,
                "source": p.source,
                "target": p.target,
                "weight": put(np.asarray(p.weight).astype(np.int32)),
                "weight_exp": int(p.weight_exp),
                "delay": int(p.delay),
                "geometry": None
                if p.geometry is None
                else {
                    "stride": [int(x) for x in p.geometry.stride],
                    "padding": [int(x) for x in p.geometry.padding],
                    "dilation": [int(x) for x in p.geometry.dilation],
                    "groups": int(p.geometry.groups),
                },
            }
            for p in network.projections.values()
        ],
        "outputs": [asdict(o) for o in network.outputs.values()],
        **_write_samples(job),
    }
    (job.folder / "job.json").write_text(json.dumps(text), encoding="utf-8")
    for kind, index, shape, dtype in job.results():
        np.lib.format.open_memmap(job.result_path(kind, index), mode="w+", dtype=dtype, shape=shape)
    np.save(job.folder / PROGRESS, np.zeros(len(network.populations), dtype=np.int64))


def _parts(encoded: EncodedSamples) -> Iterator[tuple[slice, EncodedInput]]:
    """The samples, some at a time; at least one part, also without samples."""
    for start in range(0, max(1, encoded.samples), WRITTEN_AT_A_TIME):
        samples = slice(start, min(start + WRITTEN_AT_A_TIME, encoded.samples))
        yield samples, encoded.part(samples)


def _write_samples(job: Job) -> dict[str, Any]:
    """Writes messages and biases, a part after the other, and says in which files they are."""
    files: dict[tuple[str, str, str], np.ndarray] = {}
    found: dict[str, Any] = {"messages": {}, "bias": {}}
    for samples, part in _parts(job.encoded):
        arrays: dict[tuple[str, str, str], tuple[np.ndarray, Any]] = {
            ("messages", name, ""): (array, np.int32) for name, array in part.messages.items()
        }
        for name, (mant, exp) in part.bias.items():
            arrays |= {("bias", name, "mant"): (mant, np.int16), ("bias", name, "exp"): (exp, np.int16)}
        for key, (array, dtype) in arrays.items():
            if key not in files:
                kind, name, _ = key
                file = f"samples-{len(files)}.npy"
                shape = (job.encoded.samples, *array.shape[1:])
                files[key] = np.lib.format.open_memmap(job.folder / file, mode="w+", dtype=dtype, shape=shape)
                found[kind][name] = file if kind == "messages" else [*found[kind].get(name, []), file]
            files[key][samples] = array
    return found


def read_job(folder: Path) -> Job:
    """Reads what `write_job` wrote."""
    text = json.loads((folder / "job.json").read_text(encoding="utf-8"))

    def get(name: str, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
        array: np.ndarray = np.load(folder / name, mmap_mode=mmap_mode, allow_pickle=False)
        return array

    def registers(files: dict[str, Any]) -> dict[str, Any]:
        return {register: get(files[register]) for register in REGISTERS if register in files}

    populations = [
        Population(
            name=p["name"],
            shape=tuple(p["shape"]),
            reset=p["reset"],
            fires=p["fires"],
            refractory=p["refractory"],
            max_spikes=p["max_spikes"],
            **registers(p),
        )
        for p in text["populations"]
    ]
    projections = [
        Projection(
            p["name"],
            p["source"],
            p["target"],
            get(p["weight"]),
            weight_exp=p["weight_exp"],
            geometry=None
            if p["geometry"] is None
            else Geometry(
                tuple(p["geometry"]["stride"]),
                tuple(p["geometry"]["padding"]),
                tuple(p["geometry"]["dilation"]),
                p["geometry"]["groups"],
            ),
            delay=p["delay"],
        )
        for p in text["projections"]
    ]
    inputs = [ChipInput(**(i | {"shape": tuple(i["shape"])})) for i in text["inputs"]]
    outputs = [ChipOutput(**o) for o in text["outputs"]]
    network = ChipNetwork(
        chip="",
        steps=text["steps"],
        inputs={i.name: i for i in inputs},
        populations={p.name: p for p in populations},
        projections={p.name: p for p in projections},
        host_projections={},
        outputs={o.name: o for o in outputs},
    )
    encoded = EncodedInput(
        steps=text["steps"],
        samples=text["samples"],
        messages={name: get(file, "r") for name, file in text["messages"].items()},
        bias={name: (get(mant, "r"), get(exp, "r")) for name, (mant, exp) in text["bias"].items()},
    )
    return Job(folder, network, encoded, frozenset(text["record"]))
