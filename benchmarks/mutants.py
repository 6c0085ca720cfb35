"""Faults to plant in a source file: mutmut's mutators over libcst, less what is equivalent by convention.

Left out: annotations, docstrings, imports, decorators, `if TYPE_CHECKING`, `__all__`; what a raised error or a warning
says (whole calls of `...Error(...)`, `CheckFailed`, `DoesNotFit`, `warn`), strings with a blank in them (prose) and
arguments that hold one. mutmut itself is not run: it can't sample, mutates a copy of the tree and wants the tests in
one process, whereas the tests here start Lava and commands as processes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal

PROSE_CALLS = ("CheckFailed", "DoesNotFit", "warn", "cast", "TypeVar")
PROSE_ARGUMENTS = ("what", "where", "remedy", "description", "title")


@dataclass(frozen=True)
class Mutant:
    """One fault; `number` counts those of its file."""

    path: str
    number: int
    line: int
    last_line: int
    before: str
    after: str
    source: str  # of the whole mutated file

    @property
    def name(self) -> str:
        return f"{self.path}:{self.number}"


class _Sites(cst.CSTVisitor):
    """Pairs of a node and its replacement, in the order of the file."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, int, int]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _left_out(node):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                for new in operator(node):
                    if operator is operator_arg_removal and _prose(_changed_argument(node, new)):
                        continue
                    place = self.get_metadata(PositionProvider, node)
                    self.found.append((node, new, place.start.line, place.end.line))
        return True


def mutants(path: Path, root: Path, chosen: set[int] | None = None) -> Iterator[Mutant]:
    """The mutants of a file, or those whose numbers are chosen; all of them compile."""
    text = path.read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(text))
    sites = _Sites()
    wrapper.visit(sites)
    for number, (old, new, line, last) in enumerate(sites.found):
        if chosen is not None and number not in chosen:
            continue
        replaced = wrapper.module.deep_replace(old, new)
        source = replaced.code
        if source == text or not _compiles(source):
            continue
        yield Mutant(
            str(path.relative_to(root)), number, line, last,
            wrapper.module.code_for_node(old), replaced.code_for_node(new), source,
        )  # fmt: skip


def count(path: Path) -> int:
    """Mutants of a file, those that don't compile included."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    sites = _Sites()
    wrapper.visit(sites)
    return len(sites.found)


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _left_out(node: cst.CSTNode) -> bool:
    if isinstance(node, (cst.Annotation, cst.Import, cst.ImportFrom, cst.Decorator, cst.TypeAlias)):
        return True
    if isinstance(node, cst.Expr):  # a docstring
        return isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString))
    if isinstance(node, cst.If):
        return isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING"
    if isinstance(node, cst.Assign):
        target = node.targets[0].target
        return isinstance(target, cst.Name) and target.value == "__all__"
    if isinstance(node, cst.Call):
        name = _called(node.func)
        return name in PROSE_CALLS or name.endswith(("Error", "Warning"))
    return _prose(node)


def _called(function: cst.BaseExpression) -> str:
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else ""


def _prose(node: Any) -> bool:
    if isinstance(node, cst.Arg):
        return (node.keyword is not None and node.keyword.value in PROSE_ARGUMENTS) or _prose(node.value)
    if isinstance(node, cst.ConcatenatedString):
        return True
    if isinstance(node, cst.FormattedString):
        return any(isinstance(part, cst.FormattedStringText) and " " in part.value for part in node.parts)
    return isinstance(node, cst.SimpleString) and " " in node.value


def _changed_argument(old: Any, new: Any) -> cst.Arg:
    pairs = zip(old.args, new.args, strict=False)
    return next((before for before, after in pairs if before is not after), old.args[-1])
