"""A mutation run on hw_models and converters: how many planted faults the tests see.

    nox -s mutation -- --sample 400 --seed 1
    python -m benchmarks.mutation CLONE --sample 400 --seed 1 --out FOLDER

CLONE is a clone of the repository, whose files are changed and put back: never the one that you work in. First every
test file runs once, to learn which tests run which lines (kept in FOLDER/covered; a second run starts at once). Then a
random sample of mutants, drawn from all files in proportion to their mutants and at least one from each, is judged one
after the other: by the tests that run the mutated line, the fast ones first, until one fails. FOLDER/judged-SEED.jsonl
has a line for each mutant; what is there already is not judged again.

A mutant's tests together take at most --seconds of their usual time (half of it again for those that share a fixture),
and those marked slow are left out: more tests could only kill more. At module level, which runs on import, a line is
judged by the tests of the lines that use its name.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("hw_models", "converters")
KILLED, TIMEOUT, SURVIVED = "killed", "timeout", "survived"
FILE_SECONDS = 1200  # longest run of a test file that learns its lines
QUICK = 2.0  # seconds; slower tests come after all quick ones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folders", nargs="*", default=PACKAGES, help="to draw faults from")
    parser.add_argument("--seconds", type=float, default=20.0, help="of tests a mutant, by their usual time")
    parser.add_argument("--again", action="store_true", help="judge survivors of this seed again, with today's tests")
    parser.add_argument("--only", nargs="*", help="mutants by name, for a closer look")
    arguments = parser.parse_args()
    clone = arguments.clone.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    covered = arguments.out / "covered"
    learn(clone, covered)
    tests = CoveringTests(clone, covered)
    judged_file = arguments.out / f"judged-{arguments.seed}.jsonl"
    judged = read_judged(judged_file)
    chosen = draw(clone, arguments.folders, arguments.sample, arguments.seed)
    from benchmarks.mutants import mutants
    from benchmarks.mutation_judge import Judge

    judge = Judge(clone, arguments.seconds)

    def asked(name: str) -> bool:
        if arguments.only is not None:
            return name in arguments.only
        return name not in judged or (arguments.again and judged[name]["verdict"] == SURVIVED)

    for path, numbers in chosen.items():
        wanted = {n for n in numbers if asked(f"{path}:{n}")}
        for mutant in mutants(clone / path, clone, wanted) if wanted else ():
            found = judge.judge(mutant, tests.of(mutant, arguments.seconds))
            row = {"name": mutant.name, "line": mutant.line, "before": mutant.before, "after": mutant.after, **found}
            judged[mutant.name] = row
            with judged_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{row['verdict']:9} {row['seconds']:6.1f} s {row['tests']:4} tests  {mutant.name}", flush=True)
    print(summary(list(judged.values())))


def learn(clone: Path, covered: Path) -> None:
    """Runs each test file once, in a process, and keeps which tests run which lines."""
    covered.mkdir(exist_ok=True)
    for file in sorted((clone / "tests").glob("test_*.py")):
        found = covered / f"{file.stem.removeprefix('test_')}.json"
        if found.exists():
            continue
        environment = environment_of(clone) | {"COVERED_LINES": str(found)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "benchmarks.mutation_coverage", "-p", "no:cacheprovider"]
        began = time.monotonic()
        try:
            subprocess.run(
                [*command, "-m", "not slow", str(file.relative_to(clone))],
                cwd=clone, env=environment, stdout=subprocess.DEVNULL, timeout=FILE_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            print(f"{file.name}: more than {FILE_SECONDS} s", file=sys.stderr)
        if not found.exists():
            found.write_text('{"seconds": {}, "lines": {}}', encoding="utf-8")
        print(f"{file.name}: lines learnt in {time.monotonic() - began:.0f} s", flush=True)


def environment_of(clone: Path) -> dict[str, str]:
    """The clone's packages come before an installed one; one thread."""
    return os.environ | {"PYTHONPATH": str(clone), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class CoveringTests:
    """Which tests judge a mutant."""

    def __init__(self, clone: Path, covered: Path) -> None:
        self.clone = clone
        self.bodies: dict[str, set[int]] = {}
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, dict[int, set[str]]] = {}
        for file in sorted(covered.glob("*.json")):
            found = json.loads(file.read_text(encoding="utf-8"))
            self.seconds |= found["seconds"]
            for path, lines in found["lines"].items():
                own = self.lines.setdefault(path, {})
                for line, tests in lines.items():
                    own.setdefault(int(line), set()).update(tests)
        if not self.lines:
            raise SystemExit(f"no test ran a line, says {covered}: every mutant would survive")
        self.of_file: dict[str, set[str]] = {}
        for test in self.seconds:
            self.of_file.setdefault(test.partition("::")[0], set()).add(test)

    def of(self, mutant: Any, seconds: float) -> list[str]:
        """In the order in which they shall run: those that ran the line themselves, then those that share a fixture
        which did; quick before slow, files with little to run before the others."""
        lines = self.lines.get(mutant.path, {})
        body = self._body(mutant.path)
        contexts = {test for n in range(mutant.line, mutant.last_line + 1) if n in body for test in lines.get(n, ())}
        if not contexts:  # run on import, by whoever comes first: where its name is used, or else what runs the file
            contexts = self._users(mutant) or {test for n, tests in lines.items() if n in body for test in tests}
        own = contexts & self.seconds.keys()
        sharing: set[str] = set()
        for context in contexts:
            test, setup, _ = context.partition("|setup")
            if setup:
                sharing |= self.of_file.get(test.partition("::")[0], set())
        return [*self._within(own, seconds), *self._within(sharing - own, seconds / 2)]

    def _within(self, chosen: set[str], seconds: float) -> list[str]:
        """As many tests as the time allows, in order; at least one."""
        kept, spent = set(), 0.0
        for test in sorted(chosen, key=lambda test: (self.seconds[test], test)):
            spent += self.seconds[test]
            if spent <= seconds or not kept:
                kept.add(test)
        return self._ordered(kept)

    def _ordered(self, chosen: set[str]) -> list[str]:
        groups = {test: (self.seconds[test] > QUICK, test.partition("::")[0]) for test in chosen}
        total: dict[tuple[bool, str], float] = {}
        for test, group in groups.items():
            total[group] = total.get(group, 0.0) + self.seconds[test]

        def place(test: str) -> tuple[Any, ...]:
            slow, file = groups[test]
            return slow, total[slow, file], file, self.seconds[test], test

        return sorted(chosen, key=place)

    def _users(self, mutant: Any) -> set[str]:
        """Tests of the lines, in any file, that use the name which the mutated line defines."""
        name = self._defined(mutant)
        if name is None:
            return set()
        word = re.compile(rf"\b{name}\b")
        found: set[str] = set()
        for path, lines in self.lines.items():
            source, body = self._source(path).splitlines(), self._body(path)
            found |= {test for n, tests in lines.items() if n in body and word.search(source[n - 1]) for test in tests}
        return found

    def _defined(self, mutant: Any) -> str | None:
        """The innermost assignment, field, function or class at module or class level around the line."""
        found = None
        for node in ast.walk(ast.parse(self._source(mutant.path))):
            if not isinstance(node, ast.stmt) or not node.lineno <= mutant.line <= (node.end_lineno or 0):
                continue
            if isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                found = target.id if isinstance(target, ast.Name) else found
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                found = node.name
        return found

    def _body(self, path: str) -> set[int]:
        """Lines inside functions, definitions and their defaults left out."""
        if path not in self.bodies:
            functions = [n for n in ast.walk(ast.parse(self._source(path))) if isinstance(n, ast.FunctionDef)]
            self.bodies[path] = {n for f in functions for n in range(f.body[0].lineno, (f.end_lineno or 0) + 1)}
        return self.bodies[path]

    def _source(self, path: str) -> str:
        return (self.clone / path).read_text(encoding="utf-8")


def draw(clone: Path, folders: Sequence[str], size: int, seed: int) -> dict[str, set[int]]:
    """File -> numbers of the drawn mutants."""
    from benchmarks.mutants import count

    files = [file for folder in folders for file in sorted((clone / folder).rglob("*.py"))]
    counts = {str(file.relative_to(clone)): count(file) for file in files}
    total = sum(counts.values())
    print(f"{total:,} mutants in {sum(n > 0 for n in counts.values())} files")
    chosen = {}
    for path, number in counts.items():
        if number:
            # of its own for each file: a change elsewhere draws the same
            chance = random.Random(f"{seed} {path}")
            share = size * number / total
            take = max(1, math.floor(share) + (chance.random() < share % 1))
            chosen[path] = set(chance.sample(range(number), min(take, number)))
    return chosen


def read_judged(file: Path) -> dict[str, dict[str, Any]]:
    if not file.exists():
        return {}
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {row["name"]: row for row in rows}


def summary(rows: list[dict[str, Any]]) -> str:
    """A line a package: verdicts and the share killed, with its 95 % interval (Wilson)."""
    lines = []
    for package in (*PACKAGES, ""):
        verdicts = Counter(row["verdict"] for row in rows if row["name"].startswith(package))
        total = sum(verdicts.values())
        if total:
            killed = verdicts[KILLED] + verdicts[TIMEOUT]
            low, high = wilson(killed, total)
            told = ", ".join(f"{verdicts[v]} {v}" for v in (KILLED, TIMEOUT, SURVIVED))
            share = f"{100 * killed / total:.1f} % seen ({100 * low:.1f} to {100 * high:.1f} %)"
            lines.append(f"{package or 'both':11} {total} mutants: {told}; {share}")
    return "\n".join(lines)


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share."""
    share, correction = hits / total, z * z / total
    middle = (share + correction / 2) / (1 + correction)
    half = z / (1 + correction) * math.sqrt(share * (1 - share) / total + correction / (4 * total))
    return middle - half, middle + half


if __name__ == "__main__":
    main()
