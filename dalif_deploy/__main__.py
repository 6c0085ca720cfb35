"""python -m dalif_deploy COMMAND ...: every command without its script, where none is on the path."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = ("train", "export", "simulate", "energy", "inspect")
USAGE = f"usage: python -m dalif_deploy {{{','.join(COMMANDS)}}} ...\n       python -m dalif_deploy --version"


def main() -> None:
    """Runs the command named first, as dalif-NAME does."""
    name, rest = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name == "--version":
        from dalif_deploy import __version__

        print(f"dalif-deploy {__version__}")
    elif name in ("-h", "--help"):
        print(f"{USAGE}\n\nEach has --help.")
    elif name.removeprefix("dalif-") in COMMANDS:
        name = name.removeprefix("dalif-")
        sys.argv = [f"dalif-{name}", *rest]
        import_module(f"dalif_deploy.cli.{name}").main()
    else:
        print(f"error: {f'unknown command {name!r}' if name else 'no command'}\n{USAGE}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
