"""Files and folders appear whole or not at all, and can be read by whom the user's mask lets read."""

import os
import stat

import pytest

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_directory, atomic_file


@pytest.fixture(params=[0o022, 0o027])
def mask(request):
    before = os.umask(request.param)
    yield request.param
    assert os.umask(before) == request.param, "the mask must be what it was"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def write_file(target, text, **options):
    with atomic_file(target, **options) as temporary:
        temporary.write_text(text)


def write_folder(target, text, **options):
    with atomic_directory(target, **options) as temporary:
        (temporary / f"{text}.txt").write_text(text)


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


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_what_is_there_is_replaced_only_by_force_and_then_as_a_whole(tmp_path, write):
    target = tmp_path / "target"
    write(target, "old")
    with pytest.raises(UserError, match="already exists"):
        write(target, "new")
    write(target, "new", force=True)
    assert os.listdir(tmp_path) == ["target"]
    assert (target.read_text() if target.is_file() else os.listdir(target)) in ("new", ["new.txt"])


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("place", [atomic_file, atomic_directory])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, place, force):
    target = tmp_path / "target"
    if force:
        target.write_text("old")
    with pytest.raises(ZeroDivisionError), place(target, force=force) as temporary:
        (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == (["target"] if force else [])
    assert not force or target.read_text() == "old"


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    write_folder(tmp_path / "link", "new", force=True)
    assert os.listdir(tmp_path / "link") == ["new.txt"] and not (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "elsewhere") == ["kept"]


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
