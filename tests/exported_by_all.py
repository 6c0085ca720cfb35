"""Run as a program: one network, exported to the targets named, and reported on, by the real commands in one process.

python -m tests.exported_by_all SOURCE.pt DATA.npz FOLDER TARGET ...
"""

import importlib
import sys
from pathlib import Path

REPORT = ("energy.json", "energy.html", "record.npz")


def command(name, *arguments):
    """One of the commands; it must end well."""
    sys.argv = [f"dalif-{name}", *map(str, arguments)]
    try:
        importlib.import_module(f"dalif_deploy.cli.{name}").main()
    except SystemExit as end:
        assert not end.code, sys.argv


def main(source, data, folder, *targets):
    folder = Path(folder)
    for target in targets:
        # SANA-FE's Loihi has no graded messages
        chosen = ["--input", "bias"] if target == "sanafe" else []
        command("export", source, "--target", target, "-o", folder / target, *chosen)
    # a counter of joules, where a machine has one, measures something else each time
    from dalif_deploy.simulation import energy_session

    energy_session.find_counter = energy_session.find_cpu_counter = lambda: (None, "not measured here")
    lava = folder / "lava"
    command("energy", lava, "--data", data, "--json", folder / "energy.json", "--html", folder / "energy.html")
    command("simulate", lava, "--data", data, "--record", folder / "record.npz")


if __name__ == "__main__":
    main(*sys.argv[1:])
