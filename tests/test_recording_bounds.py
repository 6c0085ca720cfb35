"""Recordings that ask for more memory or time than their size allows: one line, and no process left."""

import os
import signal
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dalif_deploy.data import event_recording
from dalif_deploy.data.event_recording import load_recording
from tests.test_hostile_input import refused

faery = pytest.importorskip("faery")
pytest.importorskip("tonic")


def load(path):
    return load_recording(path, size=(8, 8), steps=2, window_ms=1.0)


def aedat4(path, packet, *, size=None):
    """A recording whose first packet is `packet`, and claims `size` bytes."""
    events = np.zeros(200, dtype=faery.EVENTS_DTYPE)
    events["t"] = np.arange(200) * 100
    faery.events_stream_from_array(events, (16, 16)).to_file(str(path), compression=("zstd", 1))
    whole = path.read_bytes()
    start = whole.index(b"\r\n") + 2
    start += 4 + struct.unpack_from("<I", whole, start)[0]  # the header, after its own length
    path.write_bytes(whole[:start] + struct.pack("<II", 0, len(packet) if size is None else size) + packet)
    return path


def test_a_packet_that_claims_four_gigabytes(tmp_path):
    path = aedat4(tmp_path / "a.aedat4", b"", size=(1 << 32) - 1)
    assert "it asks for more than 2" in refused(load, path)


def test_a_packet_that_unpacks_to_half_a_gigabyte(tmp_path):
    """Zstandard's blocks of one byte repeated 131,072 times (RFC 8878, 3.1.1.2): 4,000 of them in 16 kB."""
    assert "bad packet prefix" in refused(load, aedat4(tmp_path / "a.aedat4", repeated(4)))  # unpacked: zeros
    assert "bad packet prefix" not in refused(load, aedat4(tmp_path / "a.aedat4", repeated(4_000)))


def repeated(blocks):
    block = (1 << 1 | (1 << 17) << 3).to_bytes(3, "little") + b"\0"
    return bytes.fromhex("28b52ffda0") + struct.pack("<I", blocks << 17) + blocks * block + b"\1\0\0"


ENDLESS = {
    "while True: pass": "not read in 1 s",  # of the processor
    "import time; time.sleep(100)": "not read in 2 s",  # by the clock
    "bytearray(1 << 40)": "it asks for more than 2",
    "raise RuntimeError('first line\\nsecond line')": "(first line)",
    "return Packets()": "it asks for more than 2",
}
FAERY = """
import itertools, os, numpy
from pathlib import Path
Path(__file__).with_name("pid").write_text(str(os.getpid()))

class Packets:
    def __iter__(self):
        return itertools.repeat(numpy.zeros(1 << 20, [(name, "u4") for name in "xytp"]))

def events_stream_from_file(path):
    {body}
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a module in faery's place, for the reading process alone."""
    (tmp_path / "modules").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=os.pathsep)
    (tmp_path / "a.es").write_bytes(b"anything")

    def write(body):
        (tmp_path / "modules" / "faery.py").write_text(FAERY.format(body=body))
        return tmp_path / "a.es"

    return write


def gone(pid):
    """Within five seconds."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("body", ENDLESS)
def test_what_a_reader_may_do_is_bounded(body, stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(event_recording, "LEAST_SECONDS", 1)
    assert ENDLESS[body] in refused(load, stand_in(body))
    assert gone(int((tmp_path / "modules" / "pid").read_text()))


def test_ctrl_c_ends_the_reader_too(stand_in, tmp_path):
    path, pid = stand_in("import time; time.sleep(100)"), tmp_path / "modules" / "pid"
    code = f"from tests.test_recording_bounds import load; from pathlib import Path; load(Path({str(path)!r}))"
    # the real faery first, which says that the package is there
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(pid.parent)])}
    # a suite that was started in the background ignores SIGINT, and so would its children
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    caller = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL, preexec_fn=heed)
    while not pid.exists() or not pid.read_text():
        assert caller.poll() is None
        time.sleep(0.05)
    caller.send_signal(signal.SIGINT)
    assert caller.wait(20) != 0
    assert gone(int(pid.read_text()))
