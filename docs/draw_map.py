"""Writes docs/map.md and its two pictures from the code itself: `python docs/draw_map.py`.

Rooms are folders; arrows are imports between them, as grimp reads them. `ways.toml` says which function hands what to
which. `tests/test_map.py` fails when the page or a picture is not what this writes, or a function is gone.
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path

import grimp
import networkx as nx

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
PACKAGE = FOLDER.parent / "dalif_deploy"
WIDTH, LINE, GAP_X, GAP_Y = 196, 18, 14, 44  # of a box, of a line of text, between boxes
STYLE = (
    "<style>text{font:13px sans-serif;fill:#222}.small{font-size:11px;fill:#555}.b0{fill:#eef3fb;stroke:#4a6fa5}"
    ".b1{fill:#fdf3e3;stroke:#b07a1e}.b2{fill:#eaf5ea;stroke:#4b8a4b}.line{stroke:#777;fill:none;stroke-width:1.2}"
    ".ground{fill:#fff}</style>"
    '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    '<path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker></defs>'
)
SIZES = ("first", "small")  # a box's first line, and those below
Step = dict[str, str]


def room_of(module: str) -> str:
    """The folder of a module, as `hw_models/energy`; the package's own is `dalif_deploy`."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    folder = path if path.is_dir() else path.parent
    return "/".join(folder.relative_to(PACKAGE).parts) or PACKAGE.name


def room_graph() -> nx.DiGraph:
    """Rooms, and an arrow from each to those that it imports."""
    imports = grimp.build_graph(PACKAGE.name, cache_dir=None)
    rooms = nx.DiGraph()
    for module in sorted(imports.modules):
        here = room_of(module)
        rooms.add_node(here)
        for other in sorted(imports.find_modules_directly_imported_by(module)):
            # the package's own __init__ holds names that load when first used: nobody imports them with it
            if room_of(other) != here and other != PACKAGE.name:
                rooms.add_edge(here, room_of(other))
    return rooms


def purpose(room: str) -> str:
    """The first sentence of the folder's docstring."""
    folder = PACKAGE if room == PACKAGE.name else PACKAGE / room
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    return " ".join(told.split("\n\n")[0].split())


def ways() -> dict[str, list[Step]]:
    """The ways of data, by command.

    Raises:
        LookupError: a function of ways.toml is not in the code.
    """
    found: dict[str, list[Step]] = tomllib.loads((FOLDER / "ways.toml").read_text(encoding="utf-8"))
    for steps in found.values():
        for step in steps:
            file, _, name = step["what"].partition(":")
            path = PACKAGE / file
            defined = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
            if name not in {node.name for node in defined if isinstance(node, ast.FunctionDef | ast.ClassDef)}:
                raise LookupError(f"docs/ways.toml: there is no {name} in {file}")
    return found


def box(x: float, y: float, lines: list[str], kind: int, width: int = WIDTH) -> str:
    """A box with lines of text, the later ones small."""
    words = "".join(
        f'<text class="{SIZES[index > 0]}" x="{x + width / 2:.0f}" y="{y + LINE * (index + 1):.0f}" '
        f'text-anchor="middle">{escape(line)}</text>'
        for index, line in enumerate(lines)
    )
    return f'<rect class="b{kind}" x="{x:.0f}" y="{y:.0f}" width="{width}" height="{height(lines)}" rx="4"/>{words}'


def height(lines: list[str]) -> int:
    """Of a box."""
    return LINE * len(lines) + 10


def kind_of(room: str) -> int:
    """The colour: commands and training, converters, hardware."""
    return {"converters": 1, "hw_models": 2}.get(room.split("/")[0], 0)


def svg(width: float, tall: float, parts: list[str]) -> str:
    """A picture."""
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {tall:.0f}">{STYLE}'
    return "\n".join([start, f'<rect class="ground" width="{width:.0f}" height="{tall:.0f}"/>', *parts, "</svg>\n"])


def draw_rooms(rooms: nx.DiGraph) -> str:
    """Rooms in rows, importers above; an arrow that follows from others is left out; a circle is one box."""
    circles = nx.condensation(rooms)
    members = {node: sorted(circles.nodes[node]["members"]) for node in circles}
    arrows = nx.transitive_reduction(circles)
    levels = [sorted(level, key=lambda node: members[node]) for level in nx.topological_generations(circles)]
    places: dict[int, tuple[float, float]] = {}
    across = max(len(level) for level in levels) * (WIDTH + GAP_X) + GAP_X
    y = 10.0
    for level in levels:
        # under the middle of those that import them
        def middle(node: int) -> tuple[float, list[str]]:
            above = [places[other][0] for other in arrows.predecessors(node)]
            return (sum(above) / len(above) if above else 0.0, members[node])

        level.sort(key=middle)
        start = (across - len(level) * (WIDTH + GAP_X) + GAP_X) / 2
        for index, node in enumerate(level):
            places[node] = (start + index * (WIDTH + GAP_X), y)
        y += max(height(members[node]) for node in level) + GAP_Y
    parts = []
    for one, other in sorted(arrows.edges, key=lambda edge: (members[edge[0]], members[edge[1]])):
        x, top = places[one][0] + WIDTH / 2, places[one][1] + height(members[one])
        to_x, to_y = places[other][0] + WIDTH / 2, places[other][1]
        bend = min(GAP_Y, to_y - top)
        path = f"M{x:.0f},{top:.0f} C{x:.0f},{top + bend:.0f} {to_x:.0f},{to_y - bend:.0f} {to_x:.0f},{to_y:.0f}"
        parts.append(f'<path class="line" marker-end="url(#a)" d="{path}"/>')
    for node in sorted(places, key=lambda node: members[node]):
        parts.append(box(*places[node], members[node], kind_of(members[node][0])))
    return svg(across, y - GAP_Y + 10, parts)


def draw_ways(told: dict[str, list[Step]]) -> str:
    """A column a command; what is handed on stands at the arrow."""
    width, parts, lowest = 270, [], 0
    for column, (command, steps) in enumerate(told.items()):
        x, y = 10 + column * (width + 20), 30
        parts.append(f'<text x="{x + width / 2:.0f}" y="18" text-anchor="middle">{escape(command)}</text>')
        for step in steps:
            file, _, name = step["what"].partition(":")
            lines = [name, file]
            parts.append(box(x, y, lines, kind_of(file), width))
            y += height(lines)
            if step["gives"]:
                parts.append(f'<path class="line" marker-end="url(#a)" d="M{x + 14},{y} V{y + 30}"/>')
                parts.append(f'<text class="small" x="{x + 24}" y="{y + 19}">{escape(step["gives"])}</text>')
                y += 32
        lowest = max(lowest, y)
    return svg(20 + len(told) * (width + 20) - 20, lowest + 8, parts)


def page(rooms: nx.DiGraph, told: dict[str, list[Step]]) -> str:
    """The page's text."""
    circles = sorted(sorted(c) for c in nx.strongly_connected_components(rooms) if len(c) > 1)
    rows = [
        f"| `{room}` | {purpose(room)} | {', '.join(f'`{other}`' for other in sorted(rooms[room])) or '-'} |"
        for room in sorted(rooms)
    ]
    lists = []
    for command, steps in told.items():
        lists += [f"**{command}**", ""]
        lists += [f"1. `{step['what'].partition(':')[2]}` (`{step['what'].partition(':')[0]}`) gives {step['gives']}"
                  for step in steps]  # fmt: skip
        lists.append("")
    around = [f"Rooms that import each other share a box: {'; '.join(', '.join(c) for c in circles)}.", ""]
    return "\n".join(
        [
            "# A map of the code",
            "",
            "Written by `python docs/draw_map.py`; do not edit. A room is a folder, an arrow an import; what follows",
            "from other arrows is not drawn. `converters` and `hw_models` lie beside `dalif_deploy`, linked into it.",
            "",
            "![Rooms and the imports between them](map-rooms.svg)",
            "",
            *(around if circles else []),
            "## The way of the data",
            "",
            "![Which function hands what to which](map-ways.svg)",
            "",
            *lists,
            "## The rooms",
            "",
            "| room | holds | imports |",
            "|---|---|---|",
            *rows,
            "",
            "Where to change what: [Contributing](contributing.md).",
            "",
        ]
    )


def files() -> dict[str, str]:
    """What this writes, by name."""
    rooms, told = room_graph(), ways()
    return {"map-rooms.svg": draw_rooms(rooms), "map-ways.svg": draw_ways(told), "map.md": page(rooms, told)}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
