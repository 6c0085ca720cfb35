"""Builds sdist and wheel twice, from two copies of what git holds, and fails unless the bytes are the same.

    python release/reproducible_build.py FOLDER       needs the package `build`

The time in both is that of the last commit (SOURCE_DATE_EPOCH, if set, says otherwise). setuptools writes the wheel so
by itself; the sdist is packed anew here, entries in order and without an owner.
"""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def commit_time() -> str:
    asked = os.environ.get("SOURCE_DATE_EPOCH")
    return asked or subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True).strip()


def packed_anew(sdist: Path, seconds: int) -> None:
    with tarfile.open(sdist) as archive:
        members = sorted(archive.getmembers(), key=lambda member: member.name)
        held = [(member, archive.extractfile(member).read() if member.isfile() else None) for member in members]
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in held:
            member.mtime, member.uid, member.gid, member.uname, member.gname = seconds, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            archive.addfile(member, None if content is None else io.BytesIO(content))
    with open(sdist, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=seconds) as packed:
        packed.write(plain.getvalue())


def built(out: Path, seconds: str) -> dict[str, str]:
    """Name -> SHA-256 of what was built from a fresh copy of the last commit."""
    with tempfile.TemporaryDirectory() as source:
        tree = subprocess.Popen(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", source], stdin=tree.stdout, check=True)
        if tree.wait():
            raise SystemExit("git archive failed")
        command = [sys.executable, "-m", "build", "--outdir", str(out), source]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": seconds}, stdout=subprocess.DEVNULL)
    packed_anew(next(out.glob("*.tar.gz")), int(seconds))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())}


def main() -> None:
    out, seconds = Path(sys.argv[1]), commit_time()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("dalif_deploy-*"):
        old.unlink()
    first = built(out, seconds)
    with tempfile.TemporaryDirectory() as again:
        second = built(Path(again), seconds)
    if first != second:
        raise SystemExit(f"built twice, bytes differ: {first} and {second}")
    for name, digest in first.items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    main()
