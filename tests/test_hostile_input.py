"""Files made to do harm: a reader refuses them in one line, runs nothing, reads nothing else and asks for no memory.

Memory is what tracemalloc saw Python and numpy ask for, written to or not.
"""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict

import h5py
import nir
import numpy as np
import pytest
import torch

from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.netx.read import read_net
from dalif_deploy.converters.nir_file import read_nir
from dalif_deploy.converters.sources import load_source
from dalif_deploy.data import load_data
from dalif_deploy.data.idx_images import read_idx_file as read_idx
from dalif_deploy.hw_models.chip_network.file import read_chip_network
from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph import flatten_graph
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training.config_file import read_config_file
from tests import nir_networks
from tests.hostile_files import write_valid

MOST_MEMORY = 32 << 20  # the files here have kilobytes


def refused(read, *arguments, most=MOST_MEMORY):
    """The one line that the reader refuses it with."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            read(*arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert peak < most, f"{peak:,} bytes"
    assert line.isprintable() and len(line) < 1500
    return line


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    return write_valid(tmp_path_factory.mktemp("valid"))


def graph_file(path, *, shape=(4,)):
    graph = nir_networks.chain(
        ("input", nir.Input({"input": np.array(shape)})), ("output", nir.Output({"output": np.array(shape)}))
    )
    nir.write(path, graph)
    return path


# HDF5: NIR graphs, compiled networks, .net files


HDF5 = {"graph": (read_nir, ".nir"), "chip network": (read_chip_network, ".nir"), "lava-dl .net": (read_net, ".net")}


@pytest.fixture(params=HDF5)
def hdf5(request, valid, tmp_path):
    """A reader, a valid file of its kind, and a place in it for what is added."""
    read, ending = HDF5[request.param]
    path = tmp_path / f"file{ending}"
    path.write_bytes(valid[request.param][0])
    read(path)
    return read, path


def change(path, edit, **options):
    with h5py.File(path, "r+", **options) as file:
        edit(file.get("node", file))
    return path


def claimed(group):
    group.create_dataset("more", (10**12,), "f8", chunks=(1000,))  # no chunk is written


def claimed_by_a_chunk(group):
    group.create_dataset("more", (1,), "f8", maxshape=(None,), chunks=(10**8,), compression="gzip")


def a_million_chunks(group):
    group.create_dataset("more", (10**6,), "u1", chunks=(1,))  # a megabyte that HDF5 takes gigabytes to read


def packed_twice(group):
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk((1 << 20,))
    layout.set_deflate(9)
    layout.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (9,))
    space = h5py.h5s.create_simple((1 << 20,))
    h5py.h5d.create(group.id, b"more", h5py.h5t.NATIVE_UINT8, space, layout)


def many_texts(group):
    group.create_dataset("more", (200_000,), h5py.string_dtype(), chunks=(1000,))


def shared_text(group):
    group.create_dataset("more", (1000,), h5py.string_dtype(), chunks=(1000,), fillvalue="x" * 1000)


def virtual(group):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "a", (4,))
    group.create_virtual_dataset("more", layout)


def deep(group):
    for _ in range(70):
        group = group.create_group("a")


def external(group):
    group.create_dataset("more", (4,), "u1", external=[("/etc/hostname", 0, 4)])


EDITS = {
    claimed: "claims more than a file of this size",
    claimed_by_a_chunk: "claims more than a file of this size",
    a_million_chunks: "claims more than a file of this size",
    packed_twice: "packed in a way",
    many_texts: "pieces of text",
    shared_text: "claims more text",
    virtual: "lies in other files",
    external: "lies in other files",
    deep: "groups deep",
    lambda group: group.__setitem__("more", h5py.ExternalLink("/etc/hostname", "/")): "is a link elsewhere",
    lambda group: group.__setitem__("more", h5py.SoftLink("/")): "is a link elsewhere",
    lambda group: group.__setitem__("more", group.file["/"]): "appears under two names",
    lambda group: group.create_dataset("more", data=group.ref, dtype=h5py.ref_dtype): "neither numbers nor text",
}


@pytest.mark.parametrize("edit", EDITS)
def test_hdf5_claims_and_leads_nowhere(hdf5, edit):
    read, path = hdf5
    assert EDITS[edit] in refused(read, change(path, edit))


def test_a_file_of_a_kilobyte_that_claims_a_network_of_10_to_the_12(tmp_path):
    graph = read_nir(graph_file(tmp_path / "a.nir", shape=(1_000_000, 1000, 1000)))
    assert os.path.getsize(tmp_path / "a.nir") < 20_000
    assert "claims 1,000,000,000,000 values" in refused(flatten_graph, graph)


def test_a_convolution_s_numbers_are_bounded(tmp_path):
    for key, value in (("stride", 0), ("dilation", 10**9), ("padding", 10**9), ("padding", -1), ("groups", 0)):
        numbers = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | {key: value}
        node = nir.Conv2d(None, np.ones((2, 1, 2, 2)), **numbers, bias=np.zeros(2))
        graph = nir_networks.chain(
            ("input", nir.Input({"input": np.array([1, 6, 6])})),
            ("conv", node),
            ("output", nir.Output({"output": np.array([2, 5, 5])})),
        )
        assert "conv: " in refused(flatten_graph, graph)
    node = nir.Conv2d(None, np.ones((64, 64, 2, 2)), 1, "same", 60_001, 1, np.zeros(64))
    graph = nir_networks.chain(
        ("input", nir.Input({"input": np.array([64, 6, 6])})),
        ("conv", node),
        ("output", nir.Output({"output": np.array([64, 6, 6])})),
    )
    assert "claims" in refused(flatten_graph, graph)


def test_a_bias_has_a_value_a_channel():
    for node in (
        nir.Conv2d(None, np.ones((3, 1, 1, 1)), 1, 0, 1, 1, np.ones(2)),
        nir.Affine(np.ones((3, 4)), np.ones(2)),
    ):
        shape = [1, 2, 2] if isinstance(node, nir.Conv2d) else [4]
        graph = nir_networks.chain(
            ("input", nir.Input({"input": np.array(shape)})),
            ("layer", node),
            ("output", nir.Output({"output": np.array([3])})),
        )
        assert "2 biases for 3 channels" in refused(flatten_graph, graph)


def test_ten_million_neurons_and_a_billion_synapses_are_a_network(tmp_path):
    path = tmp_path / "large.nir"
    shape = np.array([10, 1000, 1000])
    graph = nir_networks.chain(
        ("input", nir.Input({"input": shape})),
        ("conv", nir.Conv2d((1000, 1000), np.ones((10, 10, 3, 3)), 1, 1, 1, 1, np.zeros(10))),
        ("lif", nir.IF(np.ones((10, 1, 1)), np.ones((10, 1, 1)))),
        ("output", nir.Output({"output": shape})),
    )
    nir.write(path, graph)
    assert np.prod(flatten_graph(read_nir(path)).shapes["lif"]) == 10**7


def header(change_header):
    def edit(group):
        record = json.loads(group["metadata/dalif_deploy"][()])
        change_header(record)
        del group["metadata/dalif_deploy"]
        group["metadata/dalif_deploy"] = json.dumps(record)

    return edit


def chip_record(kind, **changes):
    def edit(group):
        for node in group["nodes"].values():
            text = node["metadata/chip"][()] if "metadata/chip" in node else b"{}"
            record = json.loads(text)
            if kind in record:
                del node["metadata/chip"]
                node["metadata/chip"] = json.dumps({**record, **changes})

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (header(lambda h: h.update(steps=10**12)), "steps per sample"),
        (header(lambda h: h.update(steps=0)), "steps per sample"),
        (header(lambda h: h.update(dt=float("nan"))), "a time step of nan"),
        (header(lambda h: h.update(format="[" * 10**5)), "not a compiled network"),
        (chip_record("weight_exp", weight_exp=10**6), "weight exponent"),
        (chip_record("weight_exp", delay=10**12), "delay"),
        (chip_record("weight_exp", target="nobody"), "does not exist"),
        (chip_record("min_level", max_level=-(10**9)), "levels of input"),
        (chip_record("fires", reset="explode"), "reset"),
        (chip_record("mode", mode="explode"), "mode"),
    ],
)
def test_a_compiled_network_holds_together(valid, tmp_path, edit, words):
    path = tmp_path / "network.nir"
    path.write_bytes(valid["chip network"][1])
    assert words in refused(read_chip_network, change(path, edit))


def test_a_record_can_not_rename_its_node(valid, tmp_path):
    path = tmp_path / "network.nir"
    path.write_bytes(valid["chip network"][1])
    before = read_chip_network(path)
    after = read_chip_network(change(path, chip_record("mode", name="../../outside")))
    assert [i.name for i in after.inputs.values()] == list(before.inputs)
    assert [o.name for o in after.outputs.values()] == list(before.outputs)


# Checkpoints


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Stored:
    def __init__(self, count):
        self.pid = "storage", torch.FloatStorage, "0", "cpu", count


class Pickler(pickle._Pickler):
    def persistent_id(self, value):
        return value.pid if isinstance(value, Stored) else None


def checkpoint(path, content, *, compressed=False, twice=False):
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in (("data.pkl", buffer.getvalue()), ("byteorder", b"little"), ("version", b"3\n")):
            archive.writestr(f"archive/{name}", part)
        archive.writestr("archive/data/0", bytes(1 << 20), zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
        if twice:
            archive.writestr("archive/data/0", b"other")
    return path


def tensor(count):
    return Call(torch._utils._rebuild_tensor_v2, Stored(count), 0, (count,), (1,), False, OrderedDict())


def endless():
    value = []
    for _ in range(40):
        value = [value] * 10
    return value


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (Call(bytearray, 1 << 34), {}, "holds code"),
        (Call(torch.Tensor, 1 << 34), {}, "holds code"),
        (tensor(1 << 40), {}, "truncated, or not"),
        (tensor(1 << 18), {"compressed": True}, "is compressed"),
        (tensor(1 << 18), {"twice": True}, "twice"),
        ({"format": "dalif-deploy checkpoint 2", "info": endless()}, {}, "without end"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_checkpoint_claims_nothing(tmp_path, content, options, words):
    path = checkpoint(tmp_path / "model.pt", content, **options)
    with torch_reads_nothing():
        assert words in refused(load_checkpoint, path)


class torch_reads_nothing:  # noqa: N801
    """What is refused must not have got as far as torch, whose memory tracemalloc does not see."""

    def __enter__(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))

    def __exit__(self, *_):
        self.patch.undo()


# Data


def npz(path, header_shape=None, compress=zipfile.ZIP_DEFLATED, content=b"\0" * 96):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": header_shape})
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("input.npy", buffer.getvalue() + content)
    return str(path)


def test_an_npz_claims_nothing_and_holds_no_code(tmp_path):
    assert load_data(npz(tmp_path / "a.npz", (3, 4))).inputs.shape == (3, 4)
    assert "claims" in refused(load_data, npz(tmp_path / "a.npz", (10**12, 1)))
    assert "claims" in refused(load_data, npz(tmp_path / "a.npz", (10**7, 12)))
    assert "no samples" in refused(load_data, npz(tmp_path / "a.npz", (10**12, 0), content=b""))
    ran = tmp_path / "ran"
    objects = np.empty((2, 2), dtype=object)
    objects[:] = Call(open, str(ran), "w")
    np.savez(tmp_path / "code.npz", input=objects)
    assert "plain arrays" in refused(load_data, str(tmp_path / "code.npz"))
    assert not ran.exists()


def test_zip_parts_that_overlap_are_refused(tmp_path):
    """Each of a thousand names leads to the same compressed megabyte."""
    path = npz(tmp_path / "a.npz", (1 << 17, 1), content=bytes(1 << 20))
    with zipfile.ZipFile(path, "a") as archive:
        (member,) = archive.infolist()
        for number in range(4000):
            other = zipfile.ZipInfo(f"input.{number}.npy")
            for key in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(other, key, getattr(member, key))
            archive.filelist.append(other)
            archive.NameToInfo[other.filename] = other
        archive._didModify = True
    assert "claims" in refused(load_data, path)


def test_an_idx_file_claims_nothing(tmp_path):
    import gzip

    def write(shape, content, *, packed=True):
        raw = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + content
        for old in tmp_path.iterdir():
            old.unlink()
        (tmp_path / ("images.gz" if packed else "images")).write_bytes(gzip.compress(raw) if packed else raw)

    write((2, 3, 3), bytes(range(18)))
    assert read_idx(tmp_path, "images").tolist() == np.arange(18).reshape(2, 3, 3).tolist()
    write((10**4, 10**4, 10**4), b"")
    assert "claims" in refused(read_idx, tmp_path, "images")
    write((10**9, 10**9, 10**9), b"", packed=False)
    assert "claims" in refused(read_idx, tmp_path, "images")
    write((2, 3, 3), bytes(200 << 20))  # 200 kB that unpack to 200 MB
    assert "more bytes" in refused(read_idx, tmp_path, "images")


def pickled_array(shape, content):
    return (
        b"\x80\x02}q\x00(U\x04dataq\x01cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + b"(" + b"".join(b"J" + struct.pack("<i", n) for n in shape) + b"t" + b"U\x01b\x87R("
        + b"K\x01(" + b"".join(b"J" + struct.pack("<i", n) for n in shape) + b"t"
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89U" + bytes([len(content)]) + content + b"tbs."
    )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        pickled_array((1 << 30, 1 << 30), b"abc"),
        b"\x80\x02cnumpy\nndarray\nJ" + struct.pack("<i", 1 << 30) + b"\x85R.",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b".",  # a bytearray of 8 GiB
        b"\x80\x02K\x01r" + struct.pack("<I", 1 << 31) + b".",  # a memo of 2^31 places
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",  # a text of a terabyte
    ],
)
def test_a_batch_of_cifar_claims_nothing(tmp_path, content):
    from dalif_deploy.data.cifar import read_batch

    (tmp_path / "batch").write_bytes(content)
    assert "not a batch of CIFAR" in refused(read_batch, tmp_path / "batch")


def test_lists_of_labels_within_each_other(tmp_path):
    from dalif_deploy.data.cifar import read_batch
    from tests.cifar_files import pickled

    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": endless()}
    (tmp_path / "batch").write_bytes(pickled(batch))
    assert "no list of whole numbers" in refused(read_batch, tmp_path / "batch")


def test_a_picture_is_bounded_before_it_is_unpacked(tmp_path):
    import torchvision.transforms.functional  # noqa: F401 - takes memory itself
    from PIL import Image

    from dalif_deploy.data.cifar import read_picture
    from dalif_deploy.data.imagenet import read_image

    Image.new("RGB", (1024, 80_000)).save(tmp_path / "a.png")
    assert "1024 x 80000" in refused(read_picture, tmp_path / "a.png")
    Image.new("RGB", (1, 20_000)).save(tmp_path / "b.png")  # resized, 256 x 5 million
    assert "1 x 20000 pixels" in refused(read_image, str(tmp_path / "b.png"))


def test_a_recording_of_an_hour_that_holds_two_events(tmp_path):
    pytest.importorskip("faery")
    from dalif_deploy.data.event_recording import load_recording

    # Prophesee's DAT: a text header, type 12 (2D), 8 bytes an event, then its time and place
    times = struct.pack("<II", 0, 0) + struct.pack("<II", (1 << 32) - 1, 0)
    (tmp_path / "a.dat").write_bytes(b"% Version 2\n% Width 16\n% Height 16\n" + bytes([12, 8]) + times)
    line = refused(lambda: load_recording(tmp_path / "a.dat", size=(64, 64), steps=4, window_ms=0.1))
    assert "windows of 0.1 ms" in line


# Text


def test_a_configuration_is_small_plain_and_runs_nothing(tmp_path):
    ran = tmp_path / "ran"

    def config(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    levels = "\n".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]" for n in range(30))
    assert "aliases" in refused(read_config_file, config("a.yaml", f"l0: &l0 [x]\n{levels}\n"))
    code = f"dataset: !!python/object/apply:os.system ['touch {ran}']\n"
    assert "not readable as yaml" in refused(read_config_file, config("b.yaml", code))
    assert not ran.exists()
    assert "characters" in refused(read_config_file, config("c.json", "[" * (8 << 20)), most=4 << 20)
    for name, text in (("d.json", "[" * 60_000), ("d.toml", "a = " + "[" * 60_000), ("d.yaml", "[" * 60_000)):
        assert "not readable as" in refused(read_config_file, config(name, text))


def test_export_json_is_checked(valid, tmp_path):
    (tmp_path / "export.json").write_bytes(valid["export.json"][0])
    export = json.loads(valid["export.json"][0])
    assert load_artefact(tmp_path).steps == export["steps"]
    for change_to in ({"steps": "many"}, {"steps": -1}, {"dt": float("nan")}, {"dt": [1]}, {"target": None}):
        (tmp_path / "export.json").write_text(json.dumps({**export, **change_to}))
        assert "export.json is damaged" in refused(load_artefact, tmp_path)
    (tmp_path / "export.json").write_text("[" * 10**6)
    assert "export.json is damaged" in refused(load_artefact, tmp_path)


def test_names_lead_to_no_other_file():
    assert "no constants named" in refused(load_constants, "../../chips/loihi1")


# Names and paths


def test_names_can_not_steer_a_terminal_or_break_its_encoding(tmp_path):
    name = "a\x1b[2J\x07\u202e\udc80"
    line = refused(lambda: (_ for _ in ()).throw(UserError(f"layer {name}\n" + "x" * 10**6, where=name)))
    assert line.encode("utf-8") and "\x1b" not in line


def test_an_onnx_model_names_no_other_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    from dalif_deploy.converters.onnx.model_file import require_own_data

    def model(location):
        tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
        for key, value in (("location", location), ("length", "16")):
            tensor.external_data.add(key=key, value=value)
        graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [tensor])
        (tmp_path / "chip.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
        return tmp_path / "chip.onnx"

    require_own_data(model("chip.onnx.data"))
    for location in ("../secret", "/etc/hostname", "other"):
        assert f"w lies in {location}" in refused(require_own_data, model(location))


def test_layers_called_as_paths_are_written_inside_the_folder(valid, tmp_path):
    """HDF5 itself ends a name at a slash, so that dots are the worst there can be."""
    path = tmp_path / "model.nir"
    path.write_bytes(valid["graph"][0])

    def rename(group):
        name = next(n for n in group["nodes"] if group["nodes"][n]["type"][()] == b"LIF")
        group["nodes"].move(name, "..")
        edges = [[b".." if end == name.encode() else end for end in edge] for edge in group["edges"][()]]
        del group["edges"]
        group["edges"] = edges

    source = load_source(change(path, rename))
    before = sorted(tmp_path.rglob("*"))
    export_network(source, "lava", tmp_path / "sub" / "out", request=ExportRequest(chip="loihi2", steps=2))
    written = [each for each in tmp_path.rglob("*") if each not in before]
    assert written and all(each.is_relative_to(tmp_path / "sub") for each in written)


@pytest.mark.parametrize("kind", ["graph", "checkpoint", "lava-dl .net"])
def test_the_command_says_one_line_and_ends_with_2(valid, tmp_path, kind):
    path = tmp_path / {"graph": "a.nir", "checkpoint": "a.pt", "lava-dl .net": "a.net"}[kind]
    path.write_bytes(valid[kind][0][: len(valid[kind][0]) // 2])
    command = [sys.executable, "-c", "from dalif_deploy.cli.export import main; main()", path, "--target", "lava"]
    done = subprocess.run(
        [*command, "--steps", "2", "-o", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and not (tmp_path / "out").exists()
    assert done.stderr.startswith(f"error: {path}") and done.stderr.count("\n") == 1, done.stderr
