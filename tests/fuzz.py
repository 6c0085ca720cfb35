"""`make fuzz`: thousands of random networks with fresh seeds, until as many as asked for have run or one mismatches."""

from __future__ import annotations

import argparse
import secrets
import sys
import traceback
from pathlib import Path

import numpy as np
import torch

from dalif_deploy.hw_models.chip_network.file import write_chip_network
from tests.differential import PARTS, Mismatch, Tally, fuzz

STAGE = 500  # networks between two lines of progress
FOLDER = Path("runs/fuzz")


def main() -> int:
    """Exit code 1 at a mismatch."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--networks", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="of the first stage")
    options = arguments.parse_args()
    torch.set_num_threads(1)  # the networks are tiny
    tally, stage = Tally(), 0
    while tally.ran < options.networks:
        seed = options.seed + stage
        wanted = min(STAGE, options.networks - tally.ran)
        try:
            fuzz(tally, examples=-(-wanted // PARTS) + 1, seed=seed)
        except Mismatch as mismatch:
            print(f"MISMATCH after {tally}\n{mismatch}")
            print(f"again with: make fuzz NETWORKS={wanted} SEED={seed}; the network: {_saved(mismatch, seed)}")
            return 1
        except Exception:  # the compiler's, most likely
            traceback.print_exc()
            print(f"FAILED after {tally}; again with: make fuzz NETWORKS={wanted} SEED={seed}")
            return 1
        stage += 1
        print(f"seed {seed}: {tally}, 0 mismatches", flush=True)
    for reason, count in tally.refused.most_common():
        print(f"refused {count} times: {reason}")
    for feature, count in sorted(tally.features.items(), key=lambda item: item[1]):
        print(f"{count:6d} fired with {feature}")
    return 0


def _saved(mismatch: Mismatch, seed: int) -> str:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"mismatch-{seed}.nir"
    path.unlink(missing_ok=True)
    write_chip_network(path, mismatch.case.network)
    encoded = mismatch.case.encoded
    arrays = {f"messages.{name}": array for name, array in encoded.messages.items()}
    arrays |= {f"bias.{name}": np.stack(pair) for name, pair in encoded.bias.items()}
    np.savez(path.with_suffix(".npz"), steps=encoded.steps, samples=encoded.samples, **arrays)
    return f"{path}, its input {path.with_suffix('.npz')}"


if __name__ == "__main__":
    sys.exit(main())
