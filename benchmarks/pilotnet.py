"""The assumed energy of Loihi 2, held against Intel's measurement of PilotNet, its one published network of this kind.

    python benchmarks/pilotnet.py [--write docs/pilotnet.md]

The network is Intel's own trained file (tests/data/lava_dl), whose spikes this project gives to the bit; the frame is
the one that its trace has. Intel's figures: lava-dl, tutorials/lava/lib/dl/netx/pilotnet_snn/benchmark.ipynb (Oheo
Gulch, one chip, 16 steps a frame): 1.66 mJ a frame, 1.09 mJ of it dynamic, 0.232 W static, 408.9 frames a second.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from dalif_deploy.converters.netx.read import read_net
from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.models import loihi_energy
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.samples.recording import EncodedInput

DATA = Path(__file__).parents[1] / "tests" / "data" / "lava_dl"
STEPS = 16
MEASURED_DYNAMIC = 1.09e-3  # joules a frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file to write; printed without it")
    path = parser.parse_args().write
    text = document()
    if path:
        path.write_text(text, encoding="utf-8")
    else:
        print(text)


def document() -> str:
    network, encoded = pilotnet()
    mapping = map_network(network)
    counts = count_activity(network, encoded, mapping=mapping)
    energy = loihi_energy(counts, "loihi2")
    (chip_input,) = network.inputs.values()
    # the file's first layer turns pixels into spikes by 39,600 neurons with a bias each: active at every step
    pixels = int(np.prod(chip_input.shape)) * encoded.steps
    update = load_constants("loihi1_davies2018")["neuron_update_active"].interval("joule").value
    rows = [(t.name, f"{t.count.mean:,.0f}", t.joules.mean) for t in energy.terms]
    rows.append(("neuron updates of the input layer, active", f"{pixels:,}", pixels * update))
    total = sum(row[2] for row in rows)
    table = "\n".join(f"| {name} | {count} | {readable(joules, 'J')} |" for name, count, joules in rows)
    off = 100 * (total / MEASURED_DYNAMIC - 1)
    return f"""# PilotNet: the assumed Loihi 2 against a measured one

Written by `python benchmarks/pilotnet.py --write docs/pilotnet.md`; don't edit it by hand.

No energy per event is published for Loihi 2. So this project prices its events as Loihi 1's (Davies et al. 2018), and
the figures carry the word *assumed*. Intel has published one measurement of a spiking network of this kind together
with weights: PilotNet, {len(network.populations)} layers and an input layer, {STEPS} steps a frame. `converters/netx`
reads its file, and every spike of its trace is reproduced (`tests/test_lava_dl_traces.py`). The counts below are
therefore exact, for the one frame that the trace has.

| a frame | events | energy [assumed] |
|---|---|---|
{table}
| **all, assumed** | | **{readable(total, "J")}** |
| **dynamic, measured by Intel** | | **{readable(MEASURED_DYNAMIC, "J")}** |

Assumed over measured: {total / MEASURED_DYNAMIC:.2f}, that is {off:+.0f} %.

What this says, and what it does not:

- It is one network and one frame. Intel's figure is a mean over frames whose spikes are not published. The file here
  comes with lava-dl's tests; whether it has the weights of the measured run could not be checked (layers and steps
  agree).
- Of the measured 0.679 W, 0.253 W are on the cores' rail and 0.422 W on the memories'. The constants know no such
  division. That the sum lies near does not make any one of them right.
- Static energy is apart: the measured 0.232 W at 408.9 frames a second are {readable(0.232 / 408.9, "J")} a frame.
- Here the network takes {len(mapping.cores)} cores, with as many neurons on each as its limits allow. Intel used 74.
- Nothing is fitted to the measurement. Other networks, and the error that follows: [energy-error.md](energy-error.md).
"""


def pilotnet() -> tuple:
    """The network behind its input layer, and the spikes that enter it."""
    traces = np.load(DATA / "traces.npz")
    shape = traces["pilotnet.input.shape"]
    messages = np.unpackbits(traces["pilotnet.input"], count=int(np.prod(shape))).reshape(shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pilotnet.net"
        shutil.copy(DATA / "pilotnet.net", path)
        with h5py.File(path, "a") as file:
            del file["layer/0/neuron"]
        network = replace(read_net(path), steps=STEPS)
    return network, EncodedInput(STEPS, 1, {"input": messages[None].astype(np.int32)})


if __name__ == "__main__":
    main()
