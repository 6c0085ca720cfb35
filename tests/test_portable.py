"""Nothing that only Linux, or only Unix, has is needed before it is used; and the containers' files can be read."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

IMPORT_ALL = """
import importlib, pkgutil, sys, os, select, signal
for name in {libraries}:  # what others need is not the question here
    try:
        importlib.import_module(name)
    except ImportError:
        pass
MISSING = ("fcntl", "resource", "termios", "pwd", "grp", "syslog")
sys.modules.update(dict.fromkeys(MISSING))
for module, names in ((os, ("sched_getaffinity", "memfd_create", "pidfd_open", "fork")), (select, ("epoll",)),
                      (signal, ("SIGRTMIN", "pidfd_send_signal"))):
    for name in names:
        delattr(module, name)
import dalif_deploy
from dalif_deploy.converters.lava.compat import prepare_lava
try:
    prepare_lava()
except Exception:
    pass
path = {path}
dalif_deploy.__path__ = path
count = 0
for found in pkgutil.walk_packages(path, "dalif_deploy."):
    if found.name == "dalif_deploy.__main__":
        continue
    try:
        importlib.import_module(found.name)
        count += 1
    except ImportError as error:
        if error.name in MISSING or (error.name or "").startswith("dalif_deploy"):
            raise
print(count)
"""
LIBRARIES = ["torch.utils.data", "torchvision", "scipy.optimize", "networkx", "nir", "h5py", "pydantic", "typer"]
LIBRARIES += ["rich.progress", "jinja2", "pint", "multiprocessing.popen_spawn_posix"]


def import_all(libraries, path):
    code = IMPORT_ALL.format(libraries=libraries, path=path)
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)


def test_every_module_is_imported_without_what_other_systems_lack():
    done = import_all(LIBRARIES, "dalif_deploy.__path__")
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 250


@pytest.mark.parametrize("line", ["import fcntl", "import os\nCORES = os.sched_getaffinity(0)"])
def test_a_module_that_needs_it_at_once_is_found(tmp_path, line):
    (tmp_path / "early.py").write_text(line + "\n")
    done = import_all([], [str(tmp_path)])
    assert done.returncode != 0 and line[-8:-3] in done.stderr


@pytest.mark.parametrize("name", ["Dockerfile", ".devcontainer/Dockerfile"])
def test_containers_name_images_without_a_host_and_run_as_a_user(name):
    lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    allowed = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT"}
    assert {word for word, _ in instructions} <= allowed
    images = [rest.split()[0] for word, rest in instructions if word == "FROM"]
    assert images and all(re.fullmatch(r"[a-z]+:[\w.-]+", image) for image in images)
    users = re.findall(r"useradd .*--uid (\d+)", "\n".join(lines))
    assert (
        len(users) == 1 and [rest for word, rest in instructions if word == "USER"] == users
    )  # a number needs no look-up


def test_the_development_container_installs_as_make_does():
    held = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert (ROOT / ".devcontainer" / held["build"]["dockerfile"]).is_file()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert held["postCreateCommand"].startswith("make ")
    assert re.search(rf"^{held['postCreateCommand'].split()[1]}:", makefile, re.M)
    recipe = makefile[makefile.index("\ninstall-qemu:") :].split("\n\n")[0]
    packages = re.findall(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+", recipe.split("--yes")[1])
    image = (ROOT / ".devcontainer" / "Dockerfile").read_text(encoding="utf-8")
    assert len(packages) > 4 and all(f"{package}=*" in image for package in packages)
