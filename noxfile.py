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
