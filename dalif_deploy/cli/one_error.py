"""Under torchrun, one error a machine instead of one a process."""

from __future__ import annotations

import os
import time

SECONDS = 5.0  # by which processes of one machine reach the same line apart


def let_others_speak_first() -> None:
    """Returns at once in the first process. The others wait: torchrun ends them when the first one has failed.

    So what all of them find is said once, and what one of them alone finds is said a little later.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    first, first_here = os.environ.get("RANK") == "0", os.environ.get("LOCAL_RANK") == "0"
    if not first:
        time.sleep(SECONDS if first_here else 2 * SECONDS)
