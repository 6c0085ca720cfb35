"""Judges one mutant: its tests in a forked process that has the heavy packages imported already."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

HEAVY = (
    *("numpy", "torch", "torch.nn", "torch.utils._python_dispatch", "scipy.optimize", "sklearn.datasets", "networkx"),
    *("nir", "h5py", "pydantic", "pint", "hypothesis", "typer", "rich.progress", "jinja2", "jsonschema", "onnx"),
    *("pytest_timeout", "_pytest.assertion.rewrite", "norse.torch", "snntorch", "torchvision", "tonic"),
)
MEMORY = 12 << 30  # bytes of address space: a mutant may ask for any amount
LARGEST_FILE = 2 << 30  # bytes: it may also write for ever
ROOM = 2 << 30  # bytes free, before and after: on a full disk every test fails, and every mutant would seem killed
START_SECONDS = 60.0
SLACK = 5.0  # times the usual time of the tests


class Order:
    """Runs the chosen tests only, in the order in which they are named."""

    def __init__(self, tests: list[str]) -> None:
        self.place = {test: i for i, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda item: self.place[item.nodeid])


class Judge:
    """Forks a process for each mutant of the clone."""

    def __init__(self, clone: Path, seconds: float) -> None:
        self.clone, self.seconds = clone, seconds
        collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        compiling = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        compiling["PYTHONPATH"] = str(clone)
        subprocess.run(collect, cwd=clone, env=compiling, stdout=subprocess.DEVNULL, check=False)
        os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(clone)}
        sys.path[:] = [str(clone), *(p for p in sys.path if p not in ("", os.getcwd()))]
        for name in HEAVY:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        loaded = [name for name in sys.modules if name.partition(".")[0] in ("hw_models", "converters", "dalif_deploy")]
        assert not loaded, f"mutated code would not be seen: {loaded}"
        import torch

        torch.set_num_threads(1)

    def judge(self, mutant: Any, tests: list[str]) -> dict[str, Any]:
        """Verdict (killed, timeout or survived), seconds, and the number of tests chosen."""
        file = self.clone / mutant.path
        original, times = file.read_bytes(), file.stat()
        began = time.monotonic()
        try:
            file.write_text(mutant.source, encoding="utf-8")
            _require_room()
            verdict = self.run(tests) if tests else "survived"
            _require_room()
        finally:
            file.write_bytes(original)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # its compiled form holds again
        return {"verdict": verdict, "seconds": round(time.monotonic() - began, 1), "tests": len(tests)}

    def run(self, tests: list[str], log: Path | None = None) -> str:
        """Runs the tests on the clone as it stands."""
        sys.stdout.flush()
        child = os.fork()
        if not child:
            self._child(tests, log)
        deadline = time.monotonic() + START_SECONDS + SLACK * self.seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
            time.sleep(0.05)
        family = [*psutil.Process(child).children(recursive=True), psutil.Process(child)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout"

    def _child(self, tests: list[str], log: Path | None) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(self.clone)
            out = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
            files = sorted({test.partition("::")[0] for test in tests})
            options = ["-x", "-q", "-p", "no:cacheprovider", "--timeout", str(round(self.seconds * 3))]
            code = int(pytest.main([*files, *options], plugins=[Order(tests)]))
        finally:
            os._exit(code)


def _require_room() -> None:
    if shutil.disk_usage(tempfile.gettempdir()).free < ROOM:
        raise SystemExit("the disk is nearly full: no verdict would mean anything")
