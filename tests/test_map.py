"""The map in the docs is the code's: every room, every import between rooms, every step of the data's way."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def draw_map():
    pytest.importorskip("grimp")
    spec = importlib.util.spec_from_file_location("draw_map", DOCS / "draw_map.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_and_pictures_are_what_the_code_draws(draw_map):
    for name, content in draw_map.files().items():
        assert (DOCS / name).read_text(encoding="utf-8") == content, f"python docs/draw_map.py writes docs/{name} anew"


def test_every_folder_of_code_is_a_room(draw_map):
    listed = set(re.findall(r"^\| `([\w/]+)` \|", (DOCS / "map.md").read_text(encoding="utf-8"), re.M))
    folders = set()
    for top in ("dalif_deploy", "converters", "hw_models"):
        for path in (ROOT / top).rglob("*.py"):
            room = path.parent.relative_to(ROOT / "dalif_deploy" if top == "dalif_deploy" else ROOT)
            folders.add(room.as_posix() if room.parts else "dalif_deploy")
    assert listed == {folder for folder in folders if not folder.startswith(("dalif_deploy/",))}


def test_a_room_without_a_purpose_a_lost_function_and_a_new_arrow_are_seen(draw_map, monkeypatch, tmp_path):
    rooms = draw_map.room_graph()
    assert all(draw_map.purpose(room) for room in rooms)
    other = rooms.copy()
    other.add_edge("hw_models/files", "cli")
    assert draw_map.draw_rooms(other) != draw_map.draw_rooms(rooms)
    (tmp_path / "ways.toml").write_text('[[dalif-export]]\nwhat = "converters/source.py:no_such"\ngives = "nothing"\n')
    monkeypatch.setattr(draw_map, "FOLDER", tmp_path)
    with pytest.raises(LookupError, match=r"no no_such in converters/source\.py"):
        draw_map.ways()


def test_what_contributing_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text[text.index("| to change |") :].split("\n\n")[0]
    assert len(table.splitlines()) == 7
    for row in table.splitlines()[2:]:
        named = re.findall(r"`([\w/.]+)`", row)
        assert named, row
        for name in named:
            assert (ROOT / name).exists(), name
