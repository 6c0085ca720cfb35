"""Whether two checkouts write the same bytes, and how long each takes: for a change that must change nothing.

    python benchmarks/same_bytes.py /path/to/former/.venv/bin/python .venv/bin/python [--timed 2] [--keep DIR]

Ten networks: five trained for two epochs on digits (architectures, resets, the chip's arithmetic), a convolutional NIR
graph, two of the random graphs that the tests draw, and two .net files. Each is exported to every target by both, in
folders of the same names; then simulated, checked in all engines, and priced. Compared are exit codes, what is written
to standard error, every file byte for byte, and every JSON report, but for what may differ: `provenance` of
export.json, and seconds and joules that were measured. Each checkout does all of this in one process.

Then commands are timed, each in a process of its own, in pairs: one after the other, each pair in the other order than
the one before. What is given is CPU seconds of the process and its children, new over old: of a kind of command the
median over networks and turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("nir", "lava", "onnx", "norse", "netx", "sanafe")
SLOWER = 1.05  # what is claimed: no kind of command beyond
TURNS = 3
MEASURED = ("seconds", "measured", "measured_cpu", "not_measured", "cpu_not_measured", "provenance")
# runs commands one after the other; what each says, as JSON
DRIVER = """
import contextlib, importlib, io, json, sys
found = []
for command, *arguments in json.load(sys.stdin):
    sys.argv = ["dalif-" + command, *arguments]
    code, said = 0, io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            importlib.import_module("dalif_deploy.cli." + command).main()
        except SystemExit as end:
            code = end.code or 0
    found.append([code, said.getvalue()])
json.dump(found, open("found.json", "w"))
"""


@dataclass
class Case:
    """A network: its file in the folder of sources, options of dalif-export, and data to run it on."""

    name: str
    file: str
    options: list[str] = field(default_factory=list)
    data: str = "digits:test"

    def commands(self, sources: Path) -> dict[str, list[str]]:
        """What is asked of it, by kind."""
        source = str(sources / self.file)
        data = self.data if ":" in self.data else str(sources / self.data)
        found = {
            f"export to {target}": ["export", source, "--target", target, "-o", f"{self.name}-{target}", *self.options]
            for target in TARGETS
        }

        def on(target: str, command: str, report: str, *more: str) -> list[str]:
            return [command, f"{self.name}-{target}", "--data", data, *more, "--json", f"{self.name}-{report}.json"]

        found["simulate"] = on("lava", "simulate", "simulate", "--limit", "20")
        found["simulate in nir"] = on("nir", "simulate", "nir", "--limit", "20", "--engine", "nir")
        found["check in onnx"] = on("onnx", "simulate", "check", "--limit", "20", "--engine", "onnx", "--check")
        found["check all"] = on("onnx", "simulate", "all", "--limit", "3", "--check", "all")
        found["energy"] = on("lava", "energy", "energy", "--limit", "5")
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="Python of the former checkout")
    parser.add_argument("new", help="Python of this one")
    parser.add_argument("--timed", type=int, default=2, help="networks whose commands are timed")
    parser.add_argument("--keep", type=Path, help="folder to leave everything in")
    asked = parser.parse_args()
    pythons = {"old": str(Path(asked.old).absolute()), "new": str(Path(asked.new).absolute())}
    with tempfile.TemporaryDirectory() as temporary:
        place = asked.keep or Path(temporary)
        shutil.rmtree(place, ignore_errors=True)
        sources = place / "sources"
        sources.mkdir(parents=True)
        cases = make_sources(sources, pythons["new"])
        differences = compare(pythons, place, cases)
        slow = [kind for kind, ratio in times(pythons, place, cases[: asked.timed]).items() if ratio > SLOWER]
    return 1 if differences or slow else 0


def compare(pythons: dict[str, str], place: Path, cases: list[Case]) -> list[str]:
    """What differs, also printed."""
    commands = [command for case in cases for command in case.commands(place / "sources").values()]
    ended = {}
    for name, python in pythons.items():
        folder = place / name
        folder.mkdir()
        subprocess.run([python, "-c", DRIVER], input=json.dumps(commands), text=True, cwd=folder, check=True)
        ended[name] = json.loads((folder / "found.json").read_text())
        (folder / "found.json").unlink()
    differences = [
        f"{' '.join(command)}: {old} and {new}"
        for command, old, new in zip(commands, ended["old"], ended["new"], strict=True)
        if old != new
    ]
    old, new = (place / name for name in pythons)
    names = {path.relative_to(root) for root in (old, new) for path in root.rglob("*") if path.is_file()}
    for name in sorted(names):
        if not ((old / name).exists() and (new / name).exists()):
            differences.append(f"{name} is in one only")
        elif not _same(old / name, new / name):
            differences.append(str(name))
    for difference in differences:
        print(f"DIFFERS {difference}")
    done = sum(code == 0 for code, _ in ended["new"])
    reports = sum(len(name.parts) == 1 for name in names)
    print(
        f"{len(cases)} networks, {len(commands)} commands ({done} of them done, {len(commands) - done} refused), "
        f"{len(names) - reports} files of exported folders, {reports} JSON reports: {len(differences)} differences",
        flush=True,
    )
    return differences


def _same(one: Path, two: Path) -> bool:
    if one.suffix != ".json":
        return one.read_bytes() == two.read_bytes()
    # text again, so that the order of keys and every digit count
    first, second = (json.dumps(_constant(json.loads(path.read_text()))) for path in (one, two))
    return first == second


def _constant(value: object) -> object:
    if isinstance(value, dict):
        return {key: _constant(each) for key, each in value.items() if key not in MEASURED}
    return [_constant(each) for each in value] if isinstance(value, list) else value


def times(pythons: dict[str, str], place: Path, cases: list[Case]) -> dict[str, float]:
    """CPU seconds, new over old, of each kind of command; also printed."""
    ratios: dict[str, list[float]] = {}
    order = list(pythons)
    for _ in range(TURNS):
        for case in cases:
            for kind, (command, *arguments) in case.commands(place / "sources").items():
                spent, fine = {}, True
                order.reverse()
                for name in order:
                    before = _cpu_seconds()
                    code = f"from dalif_deploy.cli.{command} import main; main()"
                    done = subprocess.run(
                        [pythons[name], "-c", code, *arguments, "--force"],
                        cwd=place / name,
                        capture_output=True,
                        timeout=900,
                    )
                    spent[name] = _cpu_seconds() - before
                    fine = fine and done.returncode == 0
                if fine:
                    ratios.setdefault(kind, []).append(spent["new"] / spent["old"])
    for kind, each in ratios.items():
        print(f"{kind}: {statistics.median(each):.3f} times the CPU seconds (median of {len(each)} pairs, "
              f"{min(each):.3f} to {max(each):.3f})", flush=True)  # fmt: skip
    return {kind: statistics.median(each) for kind, each in ratios.items()}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_sources(place: Path, python: str) -> list[Case]:
    """The ten networks, written once: both checkouts read the same files."""
    sys.path.insert(0, str(ROOT))  # the tests' networks
    import nir
    from hypothesis import given, settings

    from dalif_deploy.converters.nir_file import write_nir
    from tests import nir_networks
    from tests.random_graphs import GraphCase, graph_cases

    rng = np.random.default_rng(0)
    cases = []
    recipes = {
        "cnn": ["--channels", "4,6"],
        "subtract": ["--channels", "4,6", "--reset", "subtract"],
        "resnet": ["--arch", "resnet", "--channels", "6,8"],
        "loihi1": ["--channels", "6", "--quantize", "loihi1", "--weight-bits", "6"],
        "channel": ["--channels", "6", "--quantize", "loihi2", "--weight-bits", "4", "--scale-group", "channel"],
    }
    for name, options in recipes.items():
        code = "from dalif_deploy.cli.train import main; main()"
        out = place / name
        command = [python, "-c", code, "--dataset", "digits", "--epochs", "2", "--out", str(out), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        cases.append(Case(name, f"{name}/model.pt"))
    cases[0].options = ["--calibrate", "digits:train", "--calibrate-samples", "8"]
    nir.write(place / "image.nir", nir_networks.image_network(rng))
    cases.append(Case("image", "image.nir", ["--steps", "5", "--dt", "1e-4", "--input", "bias", "--chip", "loihi1"]))

    drawn: list[GraphCase] = []

    @settings(max_examples=12, derandomize=True, database=None, deadline=None)
    @given(graph_cases(steps=6, samples=4))
    def draw(case: GraphCase) -> None:
        drawn.append(case)

    draw()
    for index in (-1, -2):
        case, name = drawn[index], f"random{-index}"
        write_nir(place / f"{name}.nir", case.graph)
        arrays = {"input" if len(case.data) == 1 else f"input.{key}": each for key, each in case.data.items()}
        np.savez(place / f"{name}.npz", **arrays)
        asked, rule = case.options, case.options["scale_rule"]
        options = ["--chip", asked["chip"], "--steps", "6", "--dt", str(asked["dt"]), "--input", asked["input_mode"]]
        options += ["--weight-bits", str(asked["weight_bits"]), "--scale-group", rule.group, "--scale", rule.name]
        if rule.name != "worst":
            options += ["--calibrate", str(place / f"{name}.npz")]
        cases.append(Case(name, f"{name}.nir", options, f"{name}.npz"))
    for name, file in (("netx", "netx/network.net"), ("tiny", "lava_dl/tiny.net")):
        shutil.copy(ROOT / "tests" / "data" / file, place / f"{name}.net")
        shape = _input_shape(place / f"{name}.net")
        np.savez(place / f"{name}.npz", input=(rng.random((4, 6, *shape)) < 0.3).astype(np.float32))
        cases.append(Case(name, f"{name}.net", ["--steps", "6"], f"{name}.npz"))
    return cases


def _input_shape(path: Path) -> tuple[int, ...]:
    from dalif_deploy.converters.netx.read import read_net

    (chip_input,) = read_net(path).inputs.values()
    return chip_input.shape


if __name__ == "__main__":
    sys.exit(main())
