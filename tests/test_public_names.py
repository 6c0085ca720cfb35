"""Tests use public names: what is behind an underscore may change without one of them breaking."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
OURS = "dalif_deploy"
ALLOWED = ("_repr_html_",)  # by which a notebook asks


def is_private(name):
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__")) and name not in ALLOWED


def private_names(source):
    """Names with an underscore that are imported from our package, or taken from a module or class of it."""
    tree = ast.parse(source)
    imported, found = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == OURS:
            imported |= {alias.asname or alias.name for alias in node.names}
            found += [alias.name for alias in node.names if is_private(alias.name)]
            found += [part for part in node.module.split(".") if is_private(part)]
        elif isinstance(node, ast.Import):
            imported |= {alias.asname or OURS for alias in node.names if alias.name.split(".")[0] == OURS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            root = node.value
            while isinstance(root, ast.Attribute | ast.Call):
                root = root.value if isinstance(root, ast.Attribute) else root.func
            if isinstance(root, ast.Name) and root.id in imported:
                found.append(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            words = [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]
            places = [word for word in words if isinstance(word, str)]
            ours = places[0].startswith(f"{OURS}.") if len(places) == 1 and "." in places[0] else False
            target = node.args[0]
            while isinstance(target, ast.Attribute):
                target = target.value
            ours = ours or (isinstance(target, ast.Name) and target.id in imported)
            found += [part for word in places if ours for part in word.split(".") if is_private(part)]
    return found


def test_no_test_takes_a_private_name():
    taken = {path.name: private_names(path.read_text(encoding="utf-8")) for path in sorted(TESTS.glob("*.py"))}
    assert {name: names for name, names in taken.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from dalif_deploy.data.cifar import _read",
        "from dalif_deploy.data import cifar as c; c._read(1)",
        "from dalif_deploy.api import Thing; Thing(1)._part",
        "import dalif_deploy; dalif_deploy.data._read",
        "from dalif_deploy.data import cifar; monkeypatch.setattr(cifar, '_read', None)",
        "monkeypatch.setattr('dalif_deploy.data.cifar._read', None)",
    ],
)
def test_each_way_to_take_one_is_seen(line):
    assert private_names(line)


@pytest.mark.parametrize(
    "line",
    [
        "import torch; torch._C",
        "from dalif_deploy import api; api.__file__",
        "from dalif_deploy.data import cifar as _c",
    ],
)
def test_others_are_not(line):
    assert not private_names(line)
