"""What a notebook shows of a result: a small table, every name of it escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup


def notebook_table(caption: str, rows: Iterable[tuple[str, ...]]) -> str:
    """HTML of a table; names come from foreign files."""
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in rows
    )
    return str(Markup("<table><caption>{}</caption>{}</table>").format(caption, body))
