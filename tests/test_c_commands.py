"""Target and engine c by the real commands; what is built is kept, and what goes wrong is said in one line."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest

from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.c import library
from dalif_deploy.converters.c.compiler import Compiler
from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests import lava_networks as nets
from tests.commands_here import run_here
from tests.test_commands import checkpoint

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
SMALL = ("-O1",)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dalif-deploy" / "c"


@pytest.fixture(params=["loihi1", "loihi2"])
def exported(request, tmp_path, capfd):
    """Input by bias and by graded messages."""
    checkpoint(tmp_path / "model.pt")
    call = ["export", tmp_path / "model.pt", "--target", "c", "--chip", request.param, "-o", tmp_path / "out"]
    done = run_here(call, capfd)
    assert done.returncode == 0 and "bytes per state" in " ".join(done.stdout.split()), done
    return tmp_path / "out"


def test_engine_c_is_checked_against_the_simulator(exported, capfd):
    done = run_here(
        ["simulate", exported, "--data", "digits:test", "--engine", "c", "--check", "--limit", 30, "--json", "-"], capfd
    )
    assert done.returncode == 0, done.stderr
    check = json.loads(done.stdout)["check"]
    assert check["against"] == "fast" and check["mismatches"] == 0
    assert len(check["compared"]) >= 2


def test_the_exported_program_prints_what_the_chip_would(exported):
    network = load_artefact(exported).network
    encoded = encode_input(network, load_data("digits:test").inputs[:9])
    (expected,) = simulate(network, encoded, record=()).outputs.values()
    if encoded.bias:
        ((mant, exp),) = encoded.bias.values()
        samples = mant.astype(np.int32) << exp.astype(np.int32)
    else:
        samples = encoded.messages["input"].astype(np.uint8)
    make = subprocess.run(["make", "-C", exported / "c", "CFLAGS=-O1 -Werror"], capture_output=True, text=True)
    assert make.returncode == 0, make.stderr
    program = exported / "c" / "network"
    done = subprocess.run([program], input=samples.tobytes(), capture_output=True)
    printed = [[int(word) for word in line.split()[1:]] for line in done.stdout.decode().splitlines()]
    np.testing.assert_array_equal(printed, expected)
    cut = subprocess.run([program], input=samples.tobytes()[:-1], capture_output=True, text=False)
    assert cut.returncode == 1 and b"the last sample is not whole" in cut.stderr


def test_memory_is_in_export_json(exported):
    needs = json.loads((exported / "export.json").read_text())["c"]
    assert needs["state"] > 0 and needs["constants"] > 0 and needs["additions"] > 0


def test_what_does_not_fit_is_a_failed_check(tmp_path, capfd):
    checkpoint(tmp_path / "model.pt")
    call = ["export", tmp_path / "model.pt", "-o", tmp_path / "out"]
    done = run_here([*call, "--target", "c", "--ram", 1000], capfd)
    assert done.returncode == 1 and "does not fit" in done.stderr and not (tmp_path / "out").exists()
    done = run_here([*call, "--target", "lava", "--flash", 1000], capfd)
    assert done.returncode == 2 and "give --target c" in done.stderr


def test_what_was_built_is_kept(own_cache, monkeypatch):
    network, encoded = nets.dense_network()
    first = CNetwork(network, flags=SMALL).run(encoded)
    (kept,) = own_cache.glob("*.so")
    assert stat.S_IMODE(own_cache.stat().st_mode) == 0o700

    def never(*_):
        raise AssertionError("built again")

    monkeypatch.setattr(Compiler, "build_library", never)
    np.testing.assert_array_equal(CNetwork(network, flags=SMALL).run(encoded).spikes["hidden"], first.spikes["hidden"])
    # another network is another library
    other = nets.conv1d_network()[0]
    with pytest.raises(AssertionError, match="built again"):
        CNetwork(other, flags=SMALL)
    # a damaged one is built anew
    whole = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AssertionError, match="built again"):
        CNetwork(network, flags=SMALL)


def test_only_so_many_are_kept_and_nothing_else_is_touched(own_cache, monkeypatch):
    monkeypatch.setattr(library, "MOST_KEPT", 3)
    monkeypatch.setattr(library, "MOST_BYTES", 1 << 20)
    own_cache.mkdir(parents=True, mode=0o700)
    names = [f"{number:064x}-{number:064x}.so" for number in range(4)]
    for number, size in enumerate((10, 10, 10, 1 << 20)):
        (own_cache / names[number]).write_bytes(b"." * size)
        os.utime(own_cache / names[number], (100 - number, 100 - number))
    others = {"mine.so", "notes.txt"}
    abandoned, being_written = f".{names[0]}.abc.so", f".{names[1]}.def.so"
    for name in (*others, abandoned, being_written):
        (own_cache / name).write_bytes(b"x")
    os.utime(own_cache / abandoned, (1, 1))
    CNetwork(nets.dense_network()[0], flags=SMALL)
    left = {path.name for path in own_cache.iterdir()}
    (new,) = left - {*names, *others, abandoned, being_written}
    assert left == {new, names[0], names[1], *others, being_written}  # the third is one too many
    monkeypatch.setattr(library, "MOST_BYTES", 1)
    CNetwork(nets.conv1d_network()[0], flags=SMALL)
    left = {path.name for path in own_cache.iterdir()} - {*others, being_written}
    assert len(left) == 1 and new not in left


def test_two_processes_build_the_same_network_at_once(own_cache, tmp_path):
    program = tmp_path / "build.py"
    program.write_text(
        "from dalif_deploy.converters.c.run import CNetwork\n"
        "from tests import lava_networks as nets\n"
        "network, encoded = nets.dense_network()\n"
        "built = CNetwork(network, flags=('-O1',))\n"
        "print(built.run(encoded).spikes['hidden'].tobytes().hex())\n"
    )
    call = [sys.executable, str(program)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    said = [process.communicate(timeout=240)[0].strip() for process in both]
    network, encoded = nets.dense_network()
    assert said == [simulate(network, encoded).spikes["hidden"].tobytes().hex()] * 2
    assert all(library.NAME.fullmatch(path.name) for path in own_cache.iterdir())


def test_where_nothing_can_be_kept_it_is_built_each_time(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    network, encoded = nets.dense_network()
    got = CNetwork(network, flags=SMALL).run(encoded)
    np.testing.assert_array_equal(got.spikes["hidden"], simulate(network, encoded).spikes["hidden"])
    assert file.read_text() == "no folder"


def test_a_folder_that_others_can_write_to_is_not_loaded_from(own_cache):
    own_cache.mkdir(parents=True)
    own_cache.chmod(0o777)
    network, encoded = nets.dense_network()
    CNetwork(network, flags=SMALL).run(encoded)
    assert not list(own_cache.iterdir())


def test_without_a_compiler_one_line_says_what_to_install(monkeypatch, exported, capfd):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(UserError, match=r"no C compiler \(no-such-compiler\); install gcc or clang"):
        CNetwork(nets.dense_network()[0])
    done = run_here(["simulate", exported, "--data", "digits:test", "--engine", "c", "--limit", 2], capfd)
    assert done.returncode == 2 and "no C compiler" in done.stderr and done.stderr.strip().count("\n") == 0


def test_a_compiler_that_fails_is_one_line(monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text('#!/bin/sh\ncase "$*" in *-E*) exit 0;; esac\necho "x.c:1: error: out of ideas" >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(UserError, match=r"the C compiler failed: x.c:1: error: out of ideas"):
        CNetwork(nets.dense_network()[0])


def test_threads_share_the_samples_evenly_and_give_the_same():
    network, encoded = nets.recurrent_network()
    built = CNetwork(network, flags=SMALL)
    one, three = (built.run(encoded, threads=n) for n in (1, 3))
    for name in one.membrane:
        np.testing.assert_array_equal(one.membrane[name], three.membrane[name])
