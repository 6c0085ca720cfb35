"""What tasks need, imported once by the process that workers are forked from; imported elsewhere, it does nothing."""

import sys
from contextlib import suppress
from importlib import import_module

# what points, checks and counts have in common; the command itself needs none of it to hand them out
NEEDED = ("torch", "scipy.optimize", "networkx", "nir", "h5py", "pydantic", "pint", "rich.console")

if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    # Python began with "-c", so a person's own file in the working folder would be taken for one of these
    sys.path[:] = [folder for folder in sys.path if folder]
    for name in NEEDED:
        with suppress(ImportError):  # told by the task that needs it
            import_module(name)
