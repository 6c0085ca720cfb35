"""Commands in this process: one each would spend most of its time on imports."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from unittest.mock import patch


def main_of(command: str):
    return import_module(f"dalif_deploy.cli.{command.removeprefix('dalif-')}").main


def run_here(command: list[object], capfd) -> subprocess.CompletedProcess:
    """Exit code, standard output and error of `["dalif-export", "model.pt", ...]`."""
    name, *arguments = map(str, command)
    with patch.object(sys, "argv", [name, *arguments]):
        try:
            main_of(name)()
            code = 0
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(command, code, *capfd.readouterr())
