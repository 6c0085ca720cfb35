"""Intel's recurrent network for sequential MNIST (LSNN): 140 neurons, 100 adaptive, 10 outputs.

Structure and registers: intel-nrc-ecosystem/models, nxsdk_modules_ncl/lsnn (src/lsnn.py, apps/seqmnist/benchmark);
weights: its weights/v25_94per. Pixels enter one a step as crossings of 40 levels; 56 further steps bear a cue. An
adaptive neuron is two compartments; what the second holds is added to the first's input. Float here: activity is
wanted, not bits. That it is the authors' network shows in its accuracy (theirs, on the chip: 94.5 %).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dalif_deploy.hw_models.energy.silicon import Events

REGULAR, ADAPTIVE, OUTPUTS, INPUTS, CUE = 140, 100, 10, 80, 56
VTH, DECAY, ADAPTATION, BETA, SCALE = 127, 1 - 1 / 20, 1 - int(4096 / 700) / 4096, 1390000, 4


def lsnn_events(folder: Path, images: np.ndarray, labels: np.ndarray) -> tuple[Events, float]:
    """Events of a sample, mean over the images, and the accuracy.

    Args:
        folder: w_in.npy, w_rec.npy, w_out.npy, each [source, target].
        images: uint8 [N, 28, 28].
    """
    w_in, w_rec, w_out = (np.load(folder / f"w_{name}.npy").astype(float) for name in ("in", "rec", "out"))
    n, given = len(images), input_spikes(images.reshape(len(images), -1))
    steps = given.shape[1]
    scale = np.repeat([1.0, SCALE], [REGULAR, ADAPTIVE])
    increase = int(BETA * (1 / (700 * 20) - 1 / 700**2)) * 2 ** (6 - SCALE)
    v, output = np.zeros((n, REGULAR + ADAPTIVE)), np.zeros((n, OUTPUTS))
    helper, fired = np.zeros((n, ADAPTIVE)), np.zeros((n, REGULAR + ADAPTIVE))
    threshold = VTH * 64.0 * scale
    stored_in, stored_rec, stored_out = (((w != 0).sum(1)) for w in (w_in, w_rec, w_out))
    operations = active = spikes = arrived = 0.0
    for t in range(steps):
        entering = given[:, t]
        drive = (entering @ w_in + fired @ w_rec) * 64 * scale
        output = output * DECAY + (fired @ w_out) * 64
        helper = helper * ADAPTATION - fired[:, REGULAR:] * increase
        drive[:, REGULAR:] += helper
        v = v * DECAY + drive
        operations += entering @ stored_in + fired @ (stored_rec + stored_out) + fired[:, REGULAR:].sum(1)
        moved = (v != 0).sum(1) + (helper != 0).sum(1) + (output != 0).sum(1)
        active = active + moved + 2 * entering.sum(1)
        fired = (v > threshold).astype(float)
        v[fired > 0] = 0
        spikes, arrived = spikes + fired.sum(1), arrived + entering.sum(1)
    neurons = REGULAR + 2 * ADAPTIVE + OUTPUTS + INPUTS
    accuracy = float((output.argmax(1) == labels).mean())
    # the input has a core of its own, whose neurons pass each spike on
    return Events(
        steps=steps,
        synaptic_operations_dense=float(np.mean(operations + arrived)),
        synaptic_operations_convolution=0,
        updates_active=float(np.mean(active)),
        updates_inactive=float(neurons * steps - np.mean(active)),
        spikes=float(np.mean(spikes + arrived)),
        messages=float(np.mean(spikes + arrived)),
        messages_from_outside=float(np.mean(arrived)),
        hops_east_west=0,
        hops_north_south=0,
        busiest_operations=float(np.mean(operations)) / steps,
        busiest_neurons=neurons - INPUTS,
    ), accuracy


def input_spikes(images: np.ndarray) -> np.ndarray:
    """0/1 [N, 784 + 56, 80]: crossings of levels from pixel to pixel upwards and downwards, white, then the cue."""
    n, size = images.shape
    levels = np.floor(np.linspace(0, 255, INPUTS // 2)).astype(int)
    spikes = np.zeros((n, size + CUE, INPUTS))
    now, after = images[:, :-1, None].astype(int), images[:, 1:, None].astype(int)
    spikes[:, : size - 1, 0::2] = (now < levels) & (after >= levels)
    spikes[:, : size - 1, 1::2] = (now >= levels) & (after < levels)
    spikes[:, :, :2] = 0  # the lowest level is left out
    spikes[:, :size, INPUTS - 2] = images == levels[-1]
    spikes[:, :, INPUTS - 1] = 0
    spikes[:, size:, INPUTS - 1] = 1
    return spikes
