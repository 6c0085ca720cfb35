"""Small valid files of every kind that is read, and ways to damage them."""

import contextlib
import copy
import io
import json
import string
import struct
from pathlib import Path

import h5py
import numpy as np
import torch

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from tests.cifar_files import write_cifar10, write_pictures
from tests.nir_networks import image_network
from tests.random_net_files import random_net_file

HUGE = (0, -1, 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 10**12)
WORDS = ("", "a", "../../outside", "/etc/passwd", "é" * 40, "nan", "1e999", "x" * 5000, "LIF", "Conv2d", "NIRGraph")


def write_valid(folder: Path) -> dict[str, list[bytes]]:
    """kind -> some files; what is large in real life is small here."""
    rng = np.random.default_rng(0)
    network = build_network(
        NetworkSpec(input_shape=(1, 6, 6), classes=3, channels=[2], strides=[2], steps=2, arch="cnn")
    )
    checkpoint = folder / "model.pt"
    save_checkpoint(checkpoint, network.eval(), {"dataset": "digits", "input_step": 0.0625})
    export_network(checkpoint, "lava", folder / "chip2", request=ExportRequest(chip="loihi2"))
    export_network(checkpoint, "lava", folder / "chip1", request=ExportRequest(chip="loihi1"))
    import nir

    nir.write(folder / "image.nir", image_network(rng, size=4, classes=2))
    random_net_file(folder / "a.net", rng)
    random_net_file(folder / "b.net", rng)
    np.savez(folder / "a.npz", input=rng.random((3, 1, 4, 4)), label=np.arange(3))
    np.savez_compressed(folder / "b.npz", **{"input.x": rng.random((3, 2, 4)).astype("f4")})
    images, labels = rng.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8), np.arange(4)
    write_cifar10(folder / "pickles", images, labels, "test")
    write_pictures(folder / "pictures", images, labels, "test")
    config = {"dataset": "digits", "epochs": 2, "lr": 0.01, "channels": [4, 8], "neuron": {"reset": "zero"}}
    chips = Path("hw_models/chips")
    read = Path.read_bytes
    return {
        "checkpoint": [read(checkpoint)],
        "graph": [read(folder / "image.nir"), read(folder / "chip2" / "model.nir")],
        "chip network": [read(folder / "chip1" / "network.nir"), read(folder / "chip2" / "network.nir")],
        "lava-dl .net": [read(folder / "a.net"), read(folder / "b.net")],
        "export.json": [read(folder / "chip2" / "export.json")],
        "samples .npz": [read(folder / "a.npz"), read(folder / "b.npz")],
        "idx": [struct.pack(">4B3I", 0, 0, 8, 3, 2, 5, 5) + bytes(range(50))],
        "cifar pickle": [read(folder / "pickles" / "test_batch")],
        "cifar picture": [read(folder / "pictures" / "test_batch.png")],
        "cifar labels": [b"[0, 1, 2, 3]"],
        "config .json": [json.dumps(config).encode()],
        "config .toml": [b'dataset = "digits"\nepochs = 2\nlr = 0.01\nchannels = [4, 8]\n[neuron]\nreset = "zero"\n'],
        "config .yaml": [b"dataset: digits\nepochs: 2\nlr: 0.01\nchannels: [4, 8]\nneuron:\n  reset: zero\n"],
        "chip .toml": [read(_root() / chips / "loihi1.toml"), read(_root() / chips / "loihi2.toml")],
        "constants .toml": [read(_root() / "hw_models/energy/constants/loihi1_davies2018.toml")],
        "recording": recordings(folder, rng),
    }


def _root() -> Path:
    return Path(__file__).parent.parent


def recordings(folder: Path, rng: np.random.Generator) -> list[bytes]:
    """None where faery is not installed."""
    try:
        import faery
    except ImportError:
        return []
    events = np.zeros(200, dtype=faery.EVENTS_DTYPE)
    events["t"] = np.sort(rng.integers(0, 20_000, 200))
    events["x"], events["y"], events["p"] = rng.integers(0, 16, 200), rng.integers(0, 16, 200), rng.random(200) < 0.5
    files = []
    for ending in (".aedat4", ".es", ".dat", ".raw"):
        path = folder / f"recording{ending}"
        faery.events_stream_from_array(events, (16, 16)).to_file(str(path))
        files.append(ending.encode() + b"\0" + path.read_bytes())
    return files


def damaged(kind: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Another file made of this one: half of the time its bytes, half of the time what they mean."""
    structured = {
        "graph": _damaged_hdf5,
        "chip network": _damaged_hdf5,
        "lava-dl .net": _damaged_hdf5,
        "checkpoint": _damaged_checkpoint,
        "export.json": _damaged_json,
        "config .json": _damaged_json,
        "cifar labels": _damaged_json,
        "samples .npz": _damaged_npz,
    }.get(kind, _damaged_text if "toml" in kind or "yaml" in kind else None)
    if structured is not None and rng.random() < 0.6:
        # what can't be written at all is no file
        with contextlib.suppress(ValueError, TypeError, KeyError, OSError, RuntimeError, OverflowError):
            return structured(content, rng)
    return _damaged_bytes(content, rng)


def _damaged_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        if not data:
            break
        at, choice = int(rng.integers(len(data))), rng.integers(7)
        if choice == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif choice == 1:
            data[at] = int(rng.choice([0, 1, 127, 128, 255]))
        elif choice == 2:
            del data[at:]
        elif choice == 3:
            length = int(rng.integers(1, 64))
            data[at:at] = data[at : at + length]
        elif choice == 4:
            del data[at : at + int(rng.integers(1, 64))]
        elif choice == 5:
            order, form = rng.choice(["<", ">"]), rng.choice(["I", "Q"])
            value = int(rng.choice(np.array(HUGE, dtype=object))) % (1 << (32 if form == "I" else 64))
            packed = struct.pack(f"{order}{form}", value)
            data[at : at + len(packed)] = packed
        else:
            data[at : at + 16] = rng.bytes(16)
    return bytes(data)


def _damaged_hdf5(content: bytes, rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        for _ in range(int(rng.integers(1, 4))):
            places = []
            file.visit(places.append)
            if places:
                _change(file, str(rng.choice(places)), rng)
    return buffer.getvalue()


def _change(file: h5py.File, place: str, rng: np.random.Generator) -> None:
    item, choice = file[place], rng.integers(12)
    if choice <= 5 and isinstance(item, h5py.Dataset) and item.size < 1 << 16:
        old = item[()]
        del file[place]
        file[place] = _other_value(old, rng)
        return
    del file[place]
    if choice == 6:
        shape = tuple(int(n) for n in rng.choice([1, 1000, 10**6, 10**12], size=int(rng.integers(1, 4))))
        file.create_dataset(place, shape, "f8", chunks=(1,) * len(shape))  # claimed, never written
    elif choice == 7:
        file[place] = h5py.ExternalLink("/etc/hostname", "/")
    elif choice == 8:
        file[place] = h5py.SoftLink("/")
    elif choice == 9:
        file[place] = file["/"]  # a circle
    elif choice == 10:
        file.create_dataset(place, (100,), "u1", external=[("/etc/passwd", 0, 100)])
    # else it is gone


def _other_value(old: object, rng: np.random.Generator) -> object:
    array = np.asarray(old)
    choice = rng.integers(8)
    if array.dtype.kind in "OSU" and choice > 1:
        text = old.decode("utf8", "replace") if isinstance(old, bytes) else str(rng.choice(WORDS))
        if text[:1] in "[{":
            return _damaged_json(text.encode(), rng).decode("utf8", "replace").replace("\0", "")
        return str(rng.choice(WORDS))
    if choice == 0:
        return float(rng.choice([np.nan, np.inf, -1.0, 0.0, 1e300]))
    if choice == 1:
        return np.zeros(tuple(rng.integers(0, 4, int(rng.integers(0, 5)))))
    if choice == 2:
        return int(rng.choice(np.array([n for n in HUGE if n < 2**63], dtype=np.int64)))
    if choice == 3:
        return str(rng.choice(WORDS))
    changed = array.copy() if array.dtype.kind in "biuf" else np.zeros(3)
    if choice == 4 or not changed.size:
        return changed.astype(rng.choice(["f4", "i8", "u1", "i2"]))
    if choice == 5:
        return changed.reshape(-1)[: int(rng.integers(0, changed.size + 1))]
    flat = changed.reshape(-1)
    low, high = (-(2**31), 2**31) if flat.dtype.kind in "iu" and flat.dtype.itemsize >= 4 else (-100, 100)
    flat[int(rng.integers(flat.size))] = np.array(rng.integers(low, high)).astype(flat.dtype)
    return changed


def _damaged_json(content: bytes, rng: np.random.Generator) -> bytes:
    value = json.loads(content)
    for _ in range(int(rng.integers(1, 3))):
        value = _changed(value, rng, 0)
    text = json.dumps(value)
    return ("[" * 5000 + text if rng.random() < 0.02 else text).encode()


def _changed(value: object, rng: np.random.Generator, depth: int) -> object:
    if isinstance(value, dict | list) and value and rng.random() < 0.8:
        key = list(value)[int(rng.integers(len(value)))] if isinstance(value, dict) else int(rng.integers(len(value)))
        other = copy.copy(value)
        if rng.random() < 0.15:
            del other[key]
        else:
            other[key] = _changed(value[key], rng, depth + 1)
        return other
    plain = [None, True, [], {}, [[[]]], float("nan"), 1e308, -1, 0.5, 10**400, {"a": [1]}, [1, 2, 3]]
    choices: list[object] = [*plain, *HUGE, *WORDS]
    return choices[int(rng.integers(len(choices)))]


def _damaged_text(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.decode().splitlines()
    for _ in range(int(rng.integers(1, 3))):
        at = int(rng.integers(len(lines)))
        name, mark, _ = lines[at].partition("=" if "=" in lines[at] else ":")
        values = [
            "[]", "{}", '"x"', "nan", "-1", "0", "1e999", str(10**30), "true", "[" * 500, "&a [*a]", "!!python/x a",
                  '"' + "\\u0000" + '"', "".join(rng.choice(list(string.printable), 20)), "2020-01-01"]  # fmt: skip
        choice = rng.integers(4)
        if choice == 0:
            del lines[at]
        elif choice == 1:
            lines.insert(at, lines[int(rng.integers(len(lines)))])
        else:
            lines[at] = f"{name}{mark} {values[int(rng.integers(len(values)))]}"
        if not lines:
            break
    return "\n".join(lines).encode()


def _damaged_checkpoint(content: bytes, rng: np.random.Generator) -> bytes:
    value = torch.load(io.BytesIO(content), weights_only=True)
    part = str(rng.choice(["spec", "info", "state", "format"]))
    if part == "state":
        key = str(rng.choice(list(value["state"])))
        tensor = value["state"][key]
        others = [
            torch.zeros(1).expand(10**6, 10**6),  # claims much, holds four bytes
            tensor.to(torch.float64) if tensor.is_floating_point() else tensor.float(),
            torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else -tensor,
            tensor.flatten()[:-1],
            torch.zeros(3).to_sparse(),
            "text",
            None,
        ]
        value["state"][key] = others[int(rng.integers(len(others)))]
    else:
        value[part] = _changed(value[part], rng, 0)
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _damaged_npz(content: bytes, rng: np.random.Generator) -> bytes:
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    key = str(rng.choice(list(arrays)))
    others = [np.array([{}], dtype=object), np.zeros((0, 3)), np.array("text"), np.full((2, 2), np.nan),
              np.zeros((3, 2, 2)),
              np.zeros(3, dtype="c8"), np.zeros(3, dtype=[("a", "f4")]), np.zeros((2, 2), dtype="M8[s]")]  # fmt: skip
    arrays[key] = others[int(rng.integers(len(others)))]
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    if rng.random() < 0.3:  # a header that claims more than there is; numpy's own check of the CRC comes too late
        claimed = b"(" + str(int(rng.choice([10**9, 10**12]))).encode() + b",)"
        at = data.find(b"'shape': ")
        end = data.find(b")", at) + 1
        data = data[: at + 9] + claimed[: end - at - 9].ljust(end - at - 9) + data[end:]
    return data
