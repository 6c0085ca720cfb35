"""Files and folders appear whole or not at all, and can be read by whom the user's mask lets read."""

import json
import os
import stat
from functools import partial

import pytest

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_directory, atomic_file
from dalif_deploy.hw_models.files.ownership import MARK


@pytest.fixture(params=[0o022, 0o027])
def mask(request):
    before = os.umask(request.param)
    yield request.param
    assert os.umask(before) == request.param, "the mask must be what it was"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def write_file(target, text, **options):
    with atomic_file(target, **options) as temporary:
        temporary.write_text(f"{text} {MARK}")


exported_folder = partial(atomic_directory, listed_in="export.json")


def write_folder(target, text, *, listed_in="export.json", **options):
    with atomic_directory(target, listed_in, **options) as temporary:
        (temporary / f"{text}.txt").write_text(text)
        (temporary / listed_in).write_text(json.dumps({"files": {f"{text}.txt": ""}}))


def test_modes_are_those_of_any_new_file_and_folder(tmp_path, mask):
    write_file(tmp_path / "f.json", "x")
    write_folder(tmp_path / "d", "x")
    assert (mode(tmp_path / "f.json"), mode(tmp_path / "d")) == (0o666 & ~mask, 0o777 & ~mask)


def test_folders_above_are_made_and_the_name_keeps_its_ending(tmp_path):
    target = tmp_path / "a" / "b" / "f.npz"
    with atomic_file(target) as temporary:
        assert temporary.parent == target.parent and temporary.suffix == ".npz"
        assert not target.exists()
        temporary.write_text("x")
    assert os.listdir(target.parent) == ["f.npz"]
    write_folder(tmp_path / "c" / "d", "x")
    assert os.listdir(tmp_path / "c") == ["d"]


def contents(folder):
    return {str(p.relative_to(folder)): p.is_file() and p.read_bytes() for p in folder.rglob("*")}


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_what_is_there_is_replaced_only_by_force_and_then_as_a_whole(tmp_path, write):
    target = tmp_path / "target"
    write(target, "old")
    with pytest.raises(UserError, match="already exists"):
        write(target, "new")
    write(target, "new", force=True)
    assert os.listdir(tmp_path) == ["target"]
    if target.is_file():
        assert target.read_text() == f"new {MARK}"
    else:
        assert sorted(os.listdir(target)) == ["export.json", "new.txt"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("place", [atomic_file, exported_folder])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, place, force):
    target = tmp_path / "target"
    if force:
        write_folder(target, "old") if place is exported_folder else write_file(target, "old")
    before = contents(tmp_path)
    with pytest.raises(ZeroDivisionError), place(target, force=force) as temporary:
        (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
        raise ZeroDivisionError
    assert contents(tmp_path) == before


def test_a_link_stays_and_so_does_what_it_leads_to(tmp_path):
    write_folder(tmp_path / "elsewhere", "kept")
    write_file(tmp_path / "kept.json", "kept")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link.json").symlink_to(tmp_path / "kept.json")
    for write, name in ((write_folder, "link"), (write_file, "link.json")):
        with pytest.raises(UserError, match="is a link"):
            write(tmp_path / name, "new", force=True)
        assert (tmp_path / name).is_symlink()
    assert "kept.txt" in os.listdir(tmp_path / "link") and (tmp_path / "kept.json").read_text() == f"kept {MARK}"


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_a_place_that_can_t_be_written_to_is_named(tmp_path, write):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write") as refusal:
        write(tmp_path / "file" / "target", "x")
    assert refusal.value.where == str(tmp_path / "file" / "target")


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write_file(tmp_path / "d", "x", force=True)
    assert os.listdir(tmp_path) == ["d"]


def test_a_file_of_a_person_is_not_replaced(tmp_path):
    (tmp_path / "f.json").write_text("{}")
    with pytest.raises(UserError, match="was not written by dalif-deploy"):
        write_file(tmp_path / "f.json", "x", force=True)
    assert (tmp_path / "f.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["notes.txt", "sub/notes.txt", "sub/empty/", ".hidden", "old.txt.bak"])
def test_a_folder_with_a_file_of_a_person_is_not_replaced(tmp_path, name):
    target = tmp_path / "thesis"
    write_folder(target, "old")
    if name.endswith("/"):
        (target / name).mkdir(parents=True)
    else:
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=f"holds {name.rstrip('/')}, which dalif-deploy did not write"):
        write_folder(target, "new", force=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("listing", [None, "", "{}", '{"files": ["a.txt"]}', "[1]"])
def test_a_folder_without_a_list_is_not_replaced(tmp_path, listing):
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "a.txt").write_text("mine")
    if listing is not None:
        (target / "export.json").write_text(listing)
    with pytest.raises(UserError, match="did not write there"):
        write_folder(target, "new", force=True)
    assert (target / "a.txt").read_text() == "mine"


def test_what_came_while_the_work_was_done_is_kept(tmp_path):
    write_folder(tmp_path / "d", "old")
    with pytest.raises(UserError, match=r"holds mine\.txt"), exported_folder(tmp_path / "d", force=True):
        (tmp_path / "d" / "mine.txt").touch()
    with pytest.raises(UserError, match="already exists"), atomic_file(tmp_path / "f"):
        (tmp_path / "f").write_text("mine")
    assert (tmp_path / "d" / "mine.txt").exists() and (tmp_path / "f").read_text() == "mine"


def test_an_empty_folder_is_replaced_by_force(tmp_path):
    (tmp_path / "d").mkdir()
    write_folder(tmp_path / "d", "new", force=True)
    assert (tmp_path / "d" / "new.txt").is_file()
