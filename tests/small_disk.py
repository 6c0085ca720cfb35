"""A disk of a few megabytes, which a test fills or makes read-only."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted tmpfs; `place` is for the test's files."""

    def __init__(self, mount: Path):
        self.mount, self.place = mount, mount / "place"
        self.place.mkdir()

    def leave(self, room: int) -> None:
        """Fills the disk up to `room` bytes."""
        ballast = self.mount / "ballast"
        ballast.unlink(missing_ok=True)
        state = os.statvfs(self.mount)
        ballast.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - room)))

    def read_only(self) -> None:
        """From now on."""
        subprocess.run(["mount", "-o", "remount,ro", self.mount], check=True)

    def files(self) -> dict[str, bytes]:
        """Name -> content of all that lies at `place`."""
        return {str(f.relative_to(self.place)): f.read_bytes() for f in self.place.rglob("*") if f.is_file()}


@contextmanager
def small_disk(mount: Path):
    """Mounted for the block; skips the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", mount], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"can't mount a small disk: {done.stderr.strip()}")
    try:
        yield SmallDisk(mount)
    finally:
        subprocess.run(["umount", "-l", mount], check=True)
