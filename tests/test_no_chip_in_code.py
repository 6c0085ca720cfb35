"""A chip is a file: no code outside hw_models/chips names one, but for examples in docstrings."""

import ast
from pathlib import Path

import pytest

from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.chips.names import chip_names

ROOT = Path(__file__).parents[1]
CHIPS = ROOT / "hw_models" / "chips"
NAMES = [word for name in chip_names() for word in (name, load_chip(name).title)]


def texts(source):
    """Every string of a module that is not a docstring, with its line."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def named(source):
    return [(line, text) for line, text in texts(source) if any(name in text for name in NAMES)]


@pytest.mark.parametrize("package", ["hw_models", "converters", "dalif_deploy"])
def test_no_chip_is_named_in_code(package):
    # rglob leaves the links dalif_deploy/hw_models and dalif_deploy/converters alone, or their files count once more
    modules = [p for p in (ROOT / package).rglob("*.py") if CHIPS not in p.resolve().parents]
    found = {str(p): named(p.read_text(encoding="utf-8")) for p in modules}
    assert not {path: lines for path, lines in found.items() if lines}
    assert len(modules) > 30


def test_a_name_in_code_would_be_found():
    code = '"""As loihi1 does."""\ndef f(chip):\n    """loihi2."""\n    return chip == "loihi1" or f"{chip} of Loihi"\n'
    assert named(code) == [(4, "loihi1")]
    assert named('x = f"{1} on Loihi 1"') and not named("'loihi'")


def test_no_template_names_one():
    templates = [p for p in (ROOT / "dalif_deploy" / "reports" / "page").iterdir()]
    assert not [p.name for p in templates if any(name in p.read_text(encoding="utf-8") for name in NAMES)]
