"""A disk that is full or read-only, memory that does not suffice: one line, nothing half-written, same bits."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dalif_deploy.cli.command import write_json
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.hw_models.simulator import batched, simulate, simulate_chunks
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from dalif_deploy.reports import energy_page
from tests.chip_networks import random_network
from tests.small_disk import small_disk

OLD = f"old {MARK}"
ROOT = str(Path(__file__).resolve().parents[1])
TARGETS = ["nir", "lava", "onnx", "netx", "sanafe"]


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[6, 8], strides=[1, 2]))
    path = tmp_path_factory.mktemp("model") / "model.pt"
    save_checkpoint(path, network, {"dataset": "digits", "input_step": 1 / 16})
    return path


def export(model, target, out, **options):
    request = ExportRequest(input_mode="bias" if target == "sanafe" else None)
    return export_network(model, target, out, request=request, **options)


def run(*words, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))}
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=250, env=environment, **options
    )


@pytest.mark.parametrize(("target", "former"), [*((target, False) for target in TARGETS), ("lava", True)])
def test_a_disk_full_at_any_point_of_an_export(disk, model, target, former):
    """From no room at all, a little more each time, until there is enough."""
    pytest.importorskip(target if target in ("onnx", "sanafe") else "nir")
    if former:
        disk.leave(1 << 20)
        (disk.place / "out").mkdir()
        (disk.place / "out" / "former.txt").write_text("old")
        (disk.place / "out" / "export.json").write_text(json.dumps({"files": {"former.txt": ""}}))
    before, faults = disk.files(), 0
    rooms = range(0, 1 << 20, 24_576)
    if target == "sanafe":  # its own file is the largest by far, and the one whose writer looks at nothing
        export_network(model, "lava", disk.place / "others", request=ExportRequest(input_mode="bias"))
        (disk.place / "others" / "export.json").unlink()  # written last
        others = sum(-(-len(content) // 4096) * 4096 for content in disk.files().values())
        shutil.rmtree(disk.place / "others")
        rooms = [0, *(others + 4096 * more for more in range(4)), 1 << 22]
    for room in rooms:
        disk.leave(room)
        try:
            export(model, target, disk.place / "out", force=former)
        except UserError as error:
            assert "cannot write (No space left on device)" in str(error) and "free some space" in str(error)
            assert disk.files() == before and len(os.listdir(disk.place)) == former
            faults += 1
        else:
            break
    assert faults >= 2 and "out/export.json" in disk.files() and "out/former.txt" not in disk.files()


def test_the_command_on_a_full_disk_says_one_line(disk, model):
    disk.leave(16384)
    code = "from dalif_deploy.cli.export import main; main()"
    done = run("-c", code, model, "--target", "lava", "-o", disk.place / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {disk.place}/out: cannot write (No space left on device)")
    assert done.stderr.count("\n") == 1 and not os.listdir(disk.place)


def writers(model, monkeypatch):
    network = load_checkpoint(model).network
    monkeypatch.setattr(energy_page, "energy_page", lambda report: "page " * 10_000)
    return {
        "figures.json": lambda path: write_json({"figures": ["many"] * 5_000}, str(path), force=True),
        "page.html": lambda path: energy_page.write_energy_page({}, path, force=True),
        "model.pt": lambda path: save_checkpoint(path, network, {"note": "x" * 50_000}, force=True),
    }


@pytest.mark.parametrize("name", ["figures.json", "page.html", "model.pt"])
@pytest.mark.parametrize("room", [0, 4096, 32768])
def test_a_full_disk_keeps_the_former_file(disk, model, monkeypatch, name, room):
    (disk.place / name).write_text(OLD)
    disk.leave(room)
    write = writers(model, monkeypatch)[name]
    with pytest.raises(UserError, match=r"No space left on device.*free some space"):
        write(disk.place / name)
    assert disk.files() == {name: OLD.encode()}
    disk.leave(1 << 19)
    write(disk.place / name)
    assert list(disk.files()) == [name] and len(disk.files()[name]) > 40_000


@pytest.mark.parametrize("name", ["figures.json", "page.html", "model.pt", "folder"])
def test_a_read_only_disk(disk, model, monkeypatch, name):
    if name != "folder":
        (disk.place / name).write_text(OLD)
    before = disk.files()
    disk.read_only()
    write = {**writers(model, monkeypatch), "folder": lambda path: export(model, "nir", path)}[name]
    with pytest.raises(UserError, match=r"cannot write .Read-only file system") as refusal:
        write(disk.place / name)
    assert refusal.value.where == str(disk.place / name) and refusal.value.exit_code == 2
    assert disk.files() == before


# as numpy and as torch say it; the latter has no type of its own
ERRORS = {
    "numpy": MemoryError("Unable to allocate 8.00 GiB for an array"),
    "torch": RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
}


def made(rng):
    network, encoded = random_network(rng, steps=5)
    messages = {name: np.concatenate([array] * 5)[:13] for name, array in encoded.messages.items()}
    messages["input"][3:] = rng.permuted(messages["input"][3:], axis=0)
    return network, type(encoded)(5, 13, messages)


def same(one, two):
    for kind, arrays in vars(one).items():
        assert arrays.keys() == vars(two)[kind].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, vars(two)[kind][name])


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", ["neuron_zeros", "store"])  # before a batch runs, and half-way through
@pytest.mark.parametrize("room", [1, 3, 12])
def test_batches_that_do_not_fit_are_halved_and_give_the_same_bits(monkeypatch, caplog, error, place, room):
    network, encoded = made(np.random.default_rng(room))
    wanted = simulate(network, encoded, record=("spikes", "membrane", "counts"))
    original, calls = getattr(batched, place), [0]

    def scarce(first, second, *rest):
        samples = first[-1] if place == "neuron_zeros" else len(first)
        calls[0] += 1
        if samples > room and (place == "neuron_zeros" or calls[0] % 5 == 0):
            raise ERRORS[error]
        return original(first, second, *rest)

    monkeypatch.setattr(batched, place, scarce)
    with caplog.at_level(logging.WARNING):
        same(simulate(network, encoded, record=("spikes", "membrane", "counts")), wanted)
    (warning,) = caplog.messages
    assert "\n" not in warning and warning.startswith("warning: 13 samples at a time do not fit in memory")
    parts = list(simulate_chunks(network, encoded, record=("spikes", "membrane", "counts")))
    assert [r.start for r, _ in parts] == [0, *(r.stop for r, _ in parts[:-1])] and parts[-1][0].stop == 13
    assert max(r.stop - r.start for r, _ in parts) <= room
    for samples, part in parts:
        same(part, batched.recording_part(wanted, samples))


@pytest.mark.parametrize("error", ERRORS)
def test_a_sample_that_does_not_fit_is_refused_with_its_need(monkeypatch, error):
    network, encoded = made(np.random.default_rng(0))

    def none(*_):
        raise ERRORS[error]

    monkeypatch.setattr(batched, "neuron_zeros", none)
    with pytest.raises(UserError, match=r"a single sample does not fit in memory: .* MB .*allocate.*fewer --steps"):
        simulate(network, encoded)


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch):
    network, encoded = made(np.random.default_rng(0))

    def broken(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(batched, "neuron_zeros", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        simulate(network, encoded)


LIMITED = """
import hashlib, json, resource
import numpy as np
import torch
torch.set_num_threads(1)
from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipOutput, Projection
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate_chunks
from tests.chip_networks import chip, population

rng = np.random.default_rng(0)
weight = rng.integers(-60, 60, (500, 40)).astype(np.int16) * 2
network = chip([ChipInput("input", (40,), "spikes", 1.0, 0, 1)], [population("a", (500,))],
               [Projection("p", "input", "a", weight, 0)], steps=2, outputs=[ChipOutput("out", "a", "count")])
messages = rng.integers(0, 2, (6_000, 2, 40)).astype(np.int32)
encoded = EncodedInput(2, 6_000, {"input": messages})

def run():
    digest, sizes = hashlib.sha256(), []
    for samples, part in simulate_chunks(network, encoded, record=(), batch_size=6_000):
        digest.update(part.outputs["out"].tobytes())
        sizes.append(samples.stop - samples.start)
    return digest.hexdigest(), max(sizes)

for part in simulate_chunks(network, encoded.part(slice(8)), record=()):  # what is loaded at first use
    pass
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20), resource.RLIM_INFINITY))
limited = run()
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(json.dumps([limited, run()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_with_little_memory_ends_with_the_same_bits():
    done = run("-c", LIMITED, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (limited, most_limited), (free, most_free) = json.loads(done.stdout)
    assert limited == free and most_free == 6_000 and most_limited < 6_000
    # one line; another where even that became too much
    warnings = done.stderr.splitlines()
    assert f"going on with {most_limited}" in warnings[0]
    assert all(line.startswith("warning: ") for line in warnings)
