"""Which tests run each line: a pytest plugin, and what it leaves on disk.

    python -m pytest -p benchmarks.mutation_coverage -m "not slow"     with COVERED_LINES=FILE in the environment

Processes that a test starts, forked ones included, count for that test. Written as JSON: `seconds` {test: of setup and
call}, `lines` {file: {line: [tests]}}; a test is named `id|setup` where the line ran in its setup, that is perhaps in a
fixture that later tests share.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

SETTINGS = """[run]
source_pkgs = dalif_deploy.hw_models, dalif_deploy.converters
parallel = true
concurrency = thread, multiprocessing
sigterm = true
data_file = {folder}/data
context = ${{PYTEST_CURRENT_TEST-}}
disable_warnings = module-not-imported, no-data-collected, module-not-measured, trace-changed
"""


class CoveredLines:
    """Switches coverage's context with each test's phases."""

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self.folder = Path(tempfile.mkdtemp(prefix="covered-lines-"))
        settings = self.folder / "settings.ini"
        settings.write_text(SETTINGS.format(folder=self.folder), encoding="utf-8")
        self.coverage = coverage.Coverage(config_file=str(settings))
        self.coverage.start()
        os.environ["COVERAGE_PROCESS_START"] = str(settings)
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(f"{item.nodeid}|setup")
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "teardown":
            return
        if report.passed:
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        else:  # judges nothing
            self.seconds[report.nodeid] = float("nan")

    def pytest_sessionfinish(self) -> None:
        del os.environ["COVERAGE_PROCESS_START"]
        self.coverage.stop()
        self.coverage.save()
        self.coverage.combine([str(self.folder)])
        data = self.coverage.get_data()
        passed = {test: round(t, 3) for test, t in self.seconds.items() if t == t}
        lines: dict[str, dict[int, list[str]]] = {}
        for file in data.measured_files():
            by_line = data.contexts_by_lineno(file)
            named = {line: sorted({_test(name) for name in names} - {""}) for line, names in by_line.items()}
            lines[os.path.relpath(file)] = dict(sorted(named.items()))
        self.destination.write_text(json.dumps({"seconds": passed, "lines": lines}), encoding="utf-8")


def _test(context: str) -> str:
    """The test of a context: the static one of a started process ends with its phase in brackets."""
    context = context.split("|tests/")[0]
    phase = re.search(r" \((setup|call|teardown)\)", context)
    if phase is None:
        return context
    return context[: phase.start()] + ("|setup" if phase[1] == "setup" else "")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the plugin where COVERED_LINES says what to write."""
    if "COVERED_LINES" in os.environ:
        config.pluginmanager.register(CoveredLines(Path(os.environ["COVERED_LINES"])))
