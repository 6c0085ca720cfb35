"""Whether two checkouts write the same bytes, and how long each takes: for a change that must change nothing.

    python benchmarks/same_bytes.py /path/to/former/.venv/bin/python .venv/bin/python [--networks 3] [--keep DIR]

Ten networks: five trained for two epochs on digits (architectures, resets, the chip's arithmetic), a convolutional NIR
graph, two of the random graphs that the tests draw, and two .net files. Each is exported to every target by both, in
folders of the same names; then simulated, checked in all engines, and priced. Compared are exit codes, what is written
to standard error, every file byte for byte, and every JSON report, but for what may differ: `provenance` of
export.json, and seconds and joules that were measured.

Commands are timed in pairs, one after the other, each pair in the other order than the one before: CPU seconds of the
process and its children, new over old, and of a kind of command the median over the networks. They are the same in the
mean if nothing has changed; two cores that others use too make single pairs differ by some percent.
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
MEASURED = ("seconds", "measured", "measured_cpu", "not_measured", "cpu_not_measured", "provenance")


@dataclass
class Case:
    """A network: its file in the folder of sources, options of dalif-export, and data to run it on."""

    name: str
    file: str
    options: list[str] = field(default_factory=list)
    data: str = "digits:test"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="Python of the former checkout")
    parser.add_argument("new", help="Python of this one")
    parser.add_argument("--networks", type=int, help="only the first so many")
    parser.add_argument("--keep", type=Path, help="folder to leave everything in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = asked.keep or Path(temporary)
        shutil.rmtree(place, ignore_errors=True)
        sources = place / "sources"
        sources.mkdir(parents=True)
        cases = make_sources(sources, asked.new)[: asked.networks]
        pair = Pair(asked.old, asked.new, place)
        for case in cases:
            run_case(pair, case)
            print(f"{case.name}: {pair.files} files and {pair.reports} reports compared so far, "
                  f"{len(pair.differences)} differences", flush=True)  # fmt: skip
    for difference in pair.differences:
        print(f"DIFFERS {difference}")
    slow = False
    for kind, ratios in pair.ratios.items():
        middle = statistics.median(ratios)
        slow |= middle > SLOWER
        print(f"{kind}: {middle:.3f} times the CPU seconds (median of {len(ratios)} pairs, "
              f"{min(ratios):.3f} to {max(ratios):.3f})")  # fmt: skip
    print(f"{len(cases)} networks, {pair.files} files, {pair.reports} reports: {len(pair.differences)} differences")
    return 1 if pair.differences or slow else 0


class Pair:
    """Both checkouts, and what came of their commands."""

    def __init__(self, old: str, new: str, place: Path):
        self.pythons = {"old": str(Path(old).absolute()), "new": str(Path(new).absolute())}
        self.place = place
        self.differences: list[str] = []
        self.ratios: dict[str, list[float]] = {}
        self.files = self.reports = self._turn = 0
        for name in self.pythons:
            (place / name).mkdir()

    def run(self, kind: str, command: str, *arguments: str, timed: bool = True) -> bool:
        """Runs a command in both; True if it ended with 0 in both."""
        ended, spent = {}, {}
        self._turn += 1
        for name in sorted(self.pythons, reverse=bool(self._turn % 2)):
            code = f"from dalif_deploy.cli.{command} import main; main()"
            before = _cpu_seconds()
            done = subprocess.run(
                [self.pythons[name], "-c", code, *arguments],
                cwd=self.place / name,
                capture_output=True,
                text=True,
                timeout=900,
            )
            spent[name] = _cpu_seconds() - before
            ended[name] = done.returncode, done.stderr
        if ended["old"] != ended["new"]:
            self.differences.append(f"{command} {' '.join(arguments)}: {ended['old']} and {ended['new']}")
        if timed and ended["old"][0] == ended["new"][0] == 0:
            self.ratios.setdefault(kind, []).append(spent["new"] / spent["old"])
        return ended["old"][0] == ended["new"][0] == 0

    def compare_folder(self, folder: str) -> None:
        """Every file of an exported folder."""
        old, new = (self.place / name / folder for name in self.pythons)
        names = {path.name for each in (old, new) for path in each.iterdir()}
        for name in sorted(names):
            one, two = old / name, new / name
            if not (one.exists() and two.exists()):
                self.differences.append(f"{folder}/{name} is in one only")
            elif name == "export.json":
                self._compare_json(f"{folder}/{name}", one, two)
            elif one.read_bytes() != two.read_bytes():
                self.differences.append(f"{folder}/{name}")
            self.files += 1

    def compare_report(self, name: str) -> None:
        """A JSON file that a command wrote."""
        old, new = (self.place / each / name for each in self.pythons)
        self._compare_json(name, old, new)
        self.reports += 1

    def _compare_json(self, name: str, *paths: Path) -> None:
        # text again, so that the order of keys and every digit count
        one, two = (json.dumps(_constant(json.loads(path.read_text()))) for path in paths)
        if one != two:
            self.differences.append(name)


def _constant(value: object) -> object:
    if isinstance(value, dict):
        return {key: _constant(each) for key, each in value.items() if key not in MEASURED}
    return [_constant(each) for each in value] if isinstance(value, list) else value


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_case(pair: Pair, case: Case) -> None:
    source = str(pair.place / "sources" / case.file)
    made = []
    for target in TARGETS:
        folder = f"{case.name}-{target}"
        if pair.run(f"export to {target}", "export", source, "--target", target, "-o", folder, *case.options):
            pair.compare_folder(folder)
            made.append(folder)
    data = case.data if ":" in case.data else str(pair.place / "sources" / case.data)
    for folder in made:
        if not folder.endswith(("-lava", "-onnx")):
            continue
        report = f"{folder}-simulate.json"
        if pair.run("simulate", "simulate", folder, "--data", data, "--limit", "20", "--json", report):
            pair.compare_report(report)
        report = f"{folder}-energy.json"
        if pair.run("energy", "energy", folder, "--data", data, "--limit", "5", "--json", report):
            pair.compare_report(report)
    for folder in made[-1:]:
        report = f"{folder}-all.json"
        command = ("simulate", folder, "--data", data, "--limit", "3", "--check", "all", "--json", report)
        pair.run("check all", *command)
        pair.compare_report(report)
        report = f"{folder}-check.json"
        pair.run("check", "simulate", folder, "--data", data, "--limit", "20", "--engine", "nir", "--json", report)
        pair.compare_report(report)


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
