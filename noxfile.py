"""The suite on every Python of the machine: `nox`. Interpreters that are not there are left out."""

import nox

nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    session.install(".[lava,test]")
    session.install("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0")
    session.install("--no-deps", "sinabs==3.1.3", "neurobench==2.3.0")
    alone = "tests/test_lava_session.py"  # see Makefile
    threads = {"OMP_NUM_THREADS": "1"}
    session.run("pytest", "-n", "2", "--dist", "loadfile", "--ignore", alone, *session.posargs, env=threads)
    session.run("pytest", alone, env=threads)


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
