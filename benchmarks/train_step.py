"""A training step of the same convolutional network with DA-LIF, with its peers' neurons and with ReLU.

    python benchmarks/train_step.py [--sizes small large] [--steps 1 4 8] [--turns 9]

Needs the peers: pip install spikingjelly==2.0.0 snntorch==1.0.0 norse==1.1.0 (one that is missing is left out, and said
so). All variants share convolutions, batch norms, readout, weights at the start, data and optimizer; time is folded
into the batch for everything but the neurons, for ReLU too. They take turns in one process; figures are medians over
the turns and their range. Each peer runs the way that is fastest on a CPU of those that it documents, with the same
surrogate (arctan) and a learned decay; Norse has neither, its defaults stand. "compiled" is the whole network under
torch.compile, wherever that works for a variant.

Bytes saved for backward are counted through autograd's hooks, each storage once, parameters left out: for the whole
network, and for its neurons alone as multiples of their input. Peak resident memory is that of a process of its own for
each variant, above the same process before the network was made. GPU: not measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from dalif_deploy.networks import NetworkSpec, SpikingNetwork, build_network
from dalif_deploy.neuron import DALIF
from dalif_deploy.neuron.relu import ReLULayer

# batch, input shape, channels and strides of the convolutions
SIZES = {
    "small": (64, (1, 28, 28), (32, 64, 64), (1, 2, 2)),
    "large": (32, (3, 32, 32), (64, 128, 128, 256), (1, 1, 2, 2)),
}
WARM_UP = 4  # torch.compile may compile again when it sees state for the first time
# what is claimed at T = 4: at most, at least, at most
OVER_RELU, PEER_OVER_OURS, SAVED = 1.05, 1.6, 0.4


def main() -> int:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    if arguments.peak:
        print(json.dumps(peak_memory(*arguments.peak)))
        return 0
    print(f"torch {torch.__version__}, {arguments.threads} threads, CPU; GPU: not measured")
    results = [measure(size, steps, arguments) for size in arguments.sizes for steps in arguments.steps]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0 if all(result["holds"] for result in results if result["steps"] == 4) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--steps", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of torch; 1 suffers least from others")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)  # VARIANT SIZE T: a child that measures its memory
    return parser.parse_args()


class PerStep(nn.Module):
    """A neuron that knows one step, run over a sequence [T, N, ...]."""

    def __init__(self, neuron: nn.Module, step: Callable):
        super().__init__()
        self.neuron, self.step = neuron, step

    def forward(self, x: torch.Tensor, record: None = None, steps: int | None = None) -> torch.Tensor:
        x = x if steps is None else x.expand(steps, *x.shape)
        state, spikes = None, []
        for x_t in x:
            s, state = self.step(self.neuron, x_t, state)
            spikes.append(s)
        return torch.stack(spikes)


class WholeSequence(nn.Module):
    """A neuron that takes a sequence, called as the package's layers call theirs."""

    def __init__(self, neuron: nn.Module):
        super().__init__()
        self.neuron = neuron

    def forward(self, x: torch.Tensor, record: None = None, steps: int | None = None) -> torch.Tensor:
        return self.neuron(x if steps is None else x.expand(steps, *x.shape))


def dalif(engine: str) -> nn.Module:
    return DALIF(engine=engine)


def spikingjelly() -> nn.Module:
    from spikingjelly.activation_based import neuron, surrogate

    # step_mode "m" is its fused multi-step path; store_v_seq off keeps its memory low
    return WholeSequence(
        neuron.ParametricLIFNode(
            decay_input=False, surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m"
        )
    )


def snntorch() -> nn.Module:
    import snntorch
    from snntorch import surrogate

    def step(neuron, x, state):
        return neuron(x, torch.zeros_like(x) if state is None else state)

    neuron = snntorch.Leaky(beta=0.5, learn_beta=True, spike_grad=surrogate.atan(), reset_mechanism="zero")
    return PerStep(neuron, step)


def norse() -> nn.Module:
    from norse.torch import LIFBoxCell, LIFBoxParameters

    # its smallest LIF: one state, no synaptic current
    return PerStep(LIFBoxCell(LIFBoxParameters()), lambda neuron, x, state: neuron(x, state))


# name -> how to make its neuron; in the order of the table
VARIANTS: dict[str, Callable[[], nn.Module]] = {
    "DA-LIF": lambda: dalif("compile"),
    "DA-LIF eager": lambda: dalif("eager"),
    "DA-LIF compiled": lambda: dalif("auto"),
    "ReLU": ReLULayer,
    "ReLU compiled": ReLULayer,
    "SpikingJelly PLIF": spikingjelly,
    "SpikingJelly PLIF compiled": spikingjelly,
    "snnTorch Leaky": snntorch,
    "snnTorch Leaky compiled": snntorch,
    "Norse LIFBox": norse,
    "Norse LIFBox compiled": norse,
}
OURS, PEERS = (
    ("DA-LIF", "DA-LIF eager", "DA-LIF compiled"),
    [name for name in VARIANTS if name.split()[0] not in ("DA-LIF", "ReLU")],
)


def network_with(size: str, steps: int, make_neuron: Callable[[], nn.Module]) -> SpikingNetwork:
    """The package's own network, as dalif-train trains it, but for its neurons."""
    _, shape, channels, strides = SIZES[size]
    torch.manual_seed(0)
    network = build_network(
        NetworkSpec(input_shape=shape, classes=10, channels=list(channels), strides=list(strides), steps=steps)
    )
    for layer in network.layers.values():
        layer.neuron = make_neuron()
    return network


def training_step(variant: str, size: str, steps: int, frames: bool = False) -> Callable[[], torch.Tensor]:
    """A function that makes one step of training and hands out the loss."""
    network = network_with(size, steps, VARIANTS[variant])
    batch, shape, *_ = SIZES[size]
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(batch, *shape, generator=generator)
    if frames:
        x = torch.rand(steps, batch, *shape, generator=generator)
    elif variant.startswith("ReLU"):
        x = x.expand(steps, *x.shape).contiguous()
    y = torch.randint(10, (batch,), generator=generator)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    run = torch.compile(network, dynamic=False) if variant.endswith("compiled") else network
    resets = variant.startswith("SpikingJelly")

    def step() -> torch.Tensor:
        if resets:
            from spikingjelly.activation_based.functional import reset_net

            reset_net(network)
        loss = F.cross_entropy(run(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    step.network, step.loss = network, lambda: F.cross_entropy(run(x), y)
    return step


def measure(size: str, steps: int, arguments: argparse.Namespace) -> dict:
    print(f"\n{size}, T = {steps}, batch {SIZES[size][0]}")
    runs, missing = {}, {}
    for variant in VARIANTS:
        try:
            runs[variant] = training_step(variant, size, steps)
            for _ in range(WARM_UP):
                runs[variant]()
        except Exception as error:  # a peer that is absent or can't be compiled says so in types of its own
            runs.pop(variant, None)
            missing[variant] = f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0][:100]}"
    times: dict[str, list[float]] = {variant: [] for variant in runs}
    for _ in range(arguments.turns):
        for variant, run in runs.items():
            began = time.process_time()
            run()
            times[variant].append(1e3 * (time.process_time() - began))
    saved = {variant: saved_bytes(run.loss, run.network) for variant, run in runs.items()}
    kept = {variant: kept_by_neuron(variant, steps) for variant in runs}
    peaks = {variant: in_own_process(variant, size, steps, arguments.threads) for variant in runs}
    reference = min(("ReLU", "ReLU compiled"), key=lambda name: statistics.median(times.get(name, [float("inf")])))
    print(f"  {'':28}{'ms a step':>24}{'times ' + reference:>22}{'saved, MiB':>12}"
          f"{'by neurons':>12}{'peak, MiB':>11}")  # fmt: skip
    for variant, each in times.items():
        ratios = [one / other for one, other in zip(each, times[reference], strict=True)]
        print(f"  {variant:28}{spread(each, 1):>24}{spread(ratios, 2):>22}"
              f"{saved[variant] / 2**20:>12.1f}{kept[variant]:>12.2f}{peaks[variant] / 2**20:>11.0f}")  # fmt: skip
    for variant, reason in missing.items():
        print(f"  {variant:28}not measured ({reason})")
    runs.clear()
    torch.compiler.reset()  # what was compiled holds the networks and their gradients
    return claims(size, steps, times, saved, kept, peaks, reference, missing)


def claims(size, steps, times, saved, kept, peaks, reference, missing) -> dict:
    """What holds of the claims, shown and as figures."""
    median = {variant: statistics.median(each) for variant, each in times.items()}
    ours = min(OURS, key=lambda name: median[name])
    peers = [name for name in PEERS if name in median]
    result = {
        "size": size, "steps": steps, "milliseconds": times, "saved_bytes": saved, "kept_by_neuron": kept,
        "peak_bytes": peaks,
        "missing": missing, "over_relu": paired(times, ours, reference), "holds": True,
    }  # fmt: skip
    shown = [f"{ours} / {reference}: {result['over_relu']:.2f} (claimed at most {OVER_RELU})"]
    result["holds"] &= result["over_relu"] <= OVER_RELU
    if peers:
        fastest = min(peers, key=lambda name: median[name])
        result["fastest_peer"], result["peer_over_ours"] = fastest, paired(times, fastest, ours)
        shown.append(f"{fastest} / {ours}: {result['peer_over_ours']:.2f} (claimed at least {PEER_OVER_OURS})")
        result["holds"] &= result["peer_over_ours"] >= PEER_OVER_OURS
        eager = [name for name in peers if not name.endswith("compiled")]
        if eager:
            best = min(eager, key=lambda name: median[name])
            result["eager_over_peer"] = paired(times, "DA-LIF eager", best)
            shown.append(f"DA-LIF eager / {best}: {result['eager_over_peer']:.2f} (claimed at most 1)")
            result["holds"] &= result["eager_over_peer"] <= 1
        lowest = min(peers, key=lambda name: peaks[name])
        shown.append(f"peak memory, {ours} / {lowest}: {peaks[ours] / peaks[lowest]:.2f} (claimed below 1)")
        result["holds"] &= peaks[ours] < peaks[lowest]
    if "SpikingJelly PLIF" in saved:
        for name, figures in (("whole network", saved), ("neurons alone", kept)):
            ratio = figures[ours] / figures["SpikingJelly PLIF"]
            result[f"saved_ratio_{name.replace(' ', '_')}"] = ratio
            shown.append(f"saved, {name}, {ours} / SpikingJelly: {ratio:.2f} (claimed at most {SAVED})")
            result["holds"] &= ratio <= SAVED
    print("\n".join(f"  {line}" for line in shown))
    return result


def saved_bytes(run: Callable[[], torch.Tensor], network: nn.Module) -> int:
    """Of all storages that autograd keeps, parameters left out."""
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
    storages: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = run()
    total = sum(storages.values())
    del out
    return total


def kept_by_neuron(variant: str, steps: int) -> float:
    """Bytes that one layer of neurons keeps, as a multiple of its input's."""
    neuron, x = VARIANTS[variant](), torch.rand(steps, 32, 1000, requires_grad=True)
    run = torch.compile(neuron, dynamic=False) if variant.endswith("compiled") else neuron
    return saved_bytes(lambda: run(x * 1.0), neuron) / (4 * x.numel())


def in_own_process(variant: str, size: str, steps: int, threads: int) -> int:
    command = [sys.executable, __file__, "--peak", variant, size, str(steps), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory(variant: str, size: str, steps: str) -> int:
    importlib.import_module("torch._dynamo")  # in all variants alike
    before = high_water()
    run = training_step(variant, size, int(steps))
    for _ in range(WARM_UP + 1):
        run()
    return high_water() - before


def high_water() -> int:
    """Bytes; not getrusage, whose figure a process inherits from the one that started it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])


def paired(times: dict[str, list[float]], one: str, other: str) -> float:
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
