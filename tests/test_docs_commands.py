"""Every command that the docs print exists: options, make targets, scripts, tests, sessions."""

import re
from contextlib import suppress
from unittest.mock import patch

import pytest
import typer

from dalif_deploy.__main__ import COMMANDS
from tests.commands_here import main_of
from tests.docs_pages import DOCS, commands
from tests.followed_page import BLOCK

ROOT = DOCS.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])


def options_of(name):
    """What the command's own parser takes."""
    found = []
    collect = patch("typer.Typer.__call__", lambda app, *_, **__: found.append(typer.main.get_command(app)))
    with collect, suppress(SystemExit):  # a command ends its process
        main_of(name)()
    return {option for parameter in found[0].params for option in [*parameter.opts, *parameter.secondary_opts]}


@pytest.fixture(scope="module")
def options():
    return {name: options_of(name) for name in (f"dalif-{name}" for name in COMMANDS)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page, options):
    for name, *words in commands(page.read_text(encoding="utf-8")):
        unknown = {word for word in words if re.match(r"--?[a-z]", word)} - options[name] - {"--help"}
        assert not unknown, f"{name} has no {unknown}"


def test_options_in_running_text_exist(options):
    known = set.union(*options.values())
    for page in PAGES:
        for name, rest in re.findall(r"`(dalif-\w+) ([^`]*)`", page.read_text(encoding="utf-8")):
            unknown = set(re.findall(r"--[a-z][\w-]*", rest)) - options[name] - {"--help"}
            assert not unknown, f"{page.name}: {name} has no {unknown}"
    assert "--check" in known


def test_make_targets_scripts_and_sessions_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.M)
    seen = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^    |`)make ([a-z]+)", text, re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name}: make {target}"
            seen.add("make")
        written = {name for name, kind, _ in BLOCK.findall(text) if kind == "python"}  # by who follows the page
        for path in re.findall(r"\b((?:benchmarks|tests|hw_models|converters|dalif_deploy)/[\w/.-]*\w\.\w+)", text):
            assert "NAME" in path or path in written or (ROOT / path).exists(), f"{page.name}: {path}"
            seen.add("path")
        for names in re.findall(r"nox -s ([a-z0-9_ ]+)", text):
            assert set(names.split()) <= set(sessions), f"{page.name}: nox -s {names}"
            seen.add("nox")
    assert seen == {"make", "path", "nox"}
