"""Run as a program: commands and writers in forked processes that are killed, and a look at what each left.

    python -m tests.killed_writers FOLDER SEED      prints JSON: kind -> what was seen, and every fault

A process is killed just before it touches the file system for the n-th time (Python's audit hook tells it), in the
middle of a file, when the n-th byte is to be written (the limit on a file's size), and after spans of time that chance
chooses.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from tests.exported_by_all import command

TOUCHING = ("open", "os.", "shutil.", "tempfile.")


def written_there(event, arguments, target):
    """Whether it opens the target, or what lies in it, to write: a kill in the middle would leave half of it."""
    if event != "open" or not isinstance(arguments[0], str) or not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return False
    return target in (Path(arguments[0]), *Path(arguments[0]).parents)


def forked(work, target, *, at=None, size=None, after=None):
    """Runs `work` in a process that dies at its touch `at` of the target's folder, in a file at `size` bytes, or
    `after` seconds.

    Returns (True if it was killed, touches that it made, writes into the target itself, seconds).
    """
    place = target.parent
    begin, (reading, writing) = time.perf_counter(), os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        touches, in_place, busy = [0], [0], [False]

        def hook(event, arguments):
            if not busy[0] and event.startswith(TOUCHING) and str(place) in str(arguments):
                busy[0] = True
                if touches[0] == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                touches[0] += 1
                in_place[0] += written_there(event, arguments, target)
                busy[0] = False

        sys.addaudithook(hook)
        if size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and gets an error instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        code = 1
        try:
            work()
            code = 0
        finally:
            os.write(writing, f"{touches[0]} {in_place[0]}".encode())
            os._exit(code)
    os.close(writing)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)  # a child that has ended is a zombie until it is waited for
    _, status = os.waitpid(child, 0)
    with open(reading, "rb") as pipe:
        touched, there = map(int, pipe.read().split() or (0, 0))
    killed = os.WIFSIGNALED(status)
    assert killed or status == 0, f"the work itself failed: {status}"
    return killed, touched, there, time.perf_counter() - begin


def content(path):
    """Bytes of a file, or name -> bytes of a folder; None if there is nothing."""
    if path.is_dir():
        return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}
    return path.read_bytes() if path.exists() else None


def watched(work, target, old, chance, timed):
    """What kills of `work`, which writes `target`, left; `old` puts the former state there (None: nothing)."""
    place, seen, faults = target.parent, Counter(), []

    def restore():
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if old:
            old(target)

    restore()
    before = content(target)
    _, touches, in_place, seconds = forked(work, target)
    if in_place:
        faults.append(f"{in_place} writes into what is to appear whole")
    after = content(target)
    largest = max(map(len, after.values())) if isinstance(after, dict) else len(after)
    moments = [{"at": n} for n in range(touches)]
    moments += [{"size": chance.randrange(1, largest)} for _ in range(timed)]
    moments += [{"after": chance.uniform(0, seconds)} for _ in range(timed)]
    for moment in moments:
        restore()
        killed, *_ = forked(work, target, **moment)
        found, rest = content(target), [path for path in place.iterdir() if path != target]
        # between two renames the former folder stands beside, whole
        aside = [content(path / target.name) for path in rest if ".old." in path.name]
        state = "new" if found == after else "old" if found == before else "absent" if found is None else "BROKEN"
        if state == "BROKEN" or (state == "absent" and before not in aside) or (state != "new" and not killed):
            faults.append(f"{moment}: {state}")
        faults += [f"{moment}: {path.name} left" for path in rest if not path.name.startswith(f".{target.name}.")]
        seen[state if killed else "finished"] += 1
        # what is left stays for the runs that follow: none of them may mind
    restore()
    work()
    if content(target) != after:
        faults.append("what was left hinders the next run")
    return {"touches": touches, "left": len(list(place.iterdir())) - 1, **seen}, faults


def copied_into(target, figures):
    beside = target.with_name(f".{target.name}.beside")
    beside.write_text(json.dumps(figures))
    shutil.copyfile(beside, target)
    beside.unlink()


def main(folder, seed):
    torch.set_num_threads(1)
    folder, chance = Path(folder), random.Random(int(seed))
    models = []
    for number in range(2):
        torch.manual_seed(number)
        network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[6, 8], strides=[1, 2]))
        models.append(folder / f"model{number}.pt")
        save_checkpoint(models[-1], network, {"dataset": "digits", "input_step": 1 / 16})
    network, figures = load_checkpoint(models[1]).network, {"figures": list(range(20_000))}
    from dalif_deploy.cli.command import write_json

    def export(model, out):
        command("export", model, "--target", "lava", "-o", out, "--force")

    standard, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - tables of the exports
    former = folder / "former"
    export(models[0], former)
    kinds = {
        "export": ("out", lambda t: export(models[1], t), None, 4),
        "export over another": ("out", lambda t: export(models[1], t), lambda t: shutil.copytree(former, t), 4),
        "checkpoint": (
            "m.pt",
            lambda t: save_checkpoint(t, network, {"note": "x" * 100_000}, force=True),
            lambda t: shutil.copy(models[0], t),
            4,
        ),
        "report": ("r.json", lambda t: write_json(figures, str(t), force=True), lambda t: write_json({}, str(t)), 4),
    }
    # a fault, planted: what was written beside the target is copied there, not renamed
    kinds["copied"] = ("r.json", lambda t: copied_into(t, figures), lambda t: write_json({}, str(t)), 0)
    results = {}
    for kind, (name, work, old, timed) in kinds.items():
        target = folder / kind / name
        target.parent.mkdir()
        results[kind] = watched(lambda work=work, target=target: work(target), target, old, chance, timed)
    print(json.dumps(results), file=standard)


if __name__ == "__main__":
    main(*sys.argv[1:])
