"""A residual DA-LIF network and a recurrent CubaLIF network, trained on real images, exported with 8-bit weights: what
the export loses on all test images, and whether Lava gives the simulator's bits.

    python benchmarks/trained_networks.py --data fashion-mnist --epochs 2

The recurrent network reads an image row by row, a row a step, as graded input; it is plain torch, as if another
project had trained it, and comes in as a NIR graph.
"""

from __future__ import annotations

import argparse
import time

import nir
import numpy as np
import torch
import torch.nn.functional as F

from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.converters.lava.lava_session import run_lava
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.neuron.surrogate import spike

DT = 1e-3


class RecurrentCuba(torch.nn.Module):
    """Rows -> recurrent CubaLIF layer -> leaky readout. Time constants a neuron, learned."""

    def __init__(self, inputs: int, hidden: int, classes: int):
        super().__init__()
        self.enter = torch.nn.Linear(inputs, hidden)
        self.recur = torch.nn.Linear(hidden, hidden)
        self.leave = torch.nn.Linear(hidden, classes)
        torch.nn.init.normal_(self.recur.weight, 0, 0.5 / hidden**0.5)
        self.syn, self.mem = (torch.nn.Parameter(torch.full((hidden,), start)) for start in (0.0, 1.5))
        self.out_mem = torch.nn.Parameter(torch.tensor(2.5))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """[N, T, inputs] to the readout's membrane at the last step, [N, classes]."""
        syn, mem, out = self.syn.sigmoid(), self.mem.sigmoid(), self.out_mem.sigmoid()
        i = v = s = rows.new_zeros(len(rows), len(syn))
        total = rows.new_zeros(len(rows), self.leave.out_features)
        for t in range(rows.shape[1]):
            i = syn * i + self.enter(rows[:, t]) + self.recur(s)
            v = mem * v * (1 - s.detach()) + (1 - mem) * i
            s = spike(v, 1.0, "atan", 1.0)
            total = out * total + (1 - out) * self.leave(s)
        return total

    def to_nir(self) -> nir.NIRGraph:
        """The same as a NIR graph: i' and v' by Euler steps of DT."""
        a = {k: p.detach().double().numpy() for k, p in self.state_dict().items()}
        syn, mem = (1 / (1 + np.exp(-a[k])) for k in ("syn", "mem"))
        out = np.full(self.leave.out_features, 1 / (1 + np.exp(-a["out_mem"])))
        ones, zeros = np.ones(len(syn)), np.zeros(len(syn))
        nodes = {
            "input": nir.Input({"input": np.array([self.enter.in_features])}),
            "enter": nir.Affine(a["enter.weight"], a["enter.bias"]),
            "hidden": nir.CubaLIF(
                tau_syn=DT / (1 - syn), tau_mem=DT / (1 - mem), r=ones, v_leak=zeros, v_threshold=ones,
                w_in=1 / (1 - syn), v_reset=zeros,
            ),
            "recur": nir.Affine(a["recur.weight"], a["recur.bias"]),
            "leave": nir.Affine(a["leave.weight"], a["leave.bias"]),
            "readout": nir.LI(tau=DT / (1 - out), r=np.ones_like(out), v_leak=np.zeros_like(out)),
            "output": nir.Output({"output": np.array([len(out)])}),
        }  # fmt: skip
        edges = [
            ("input", "enter"), ("enter", "hidden"), ("hidden", "recur"), ("recur", "hidden"), ("hidden", "leave"),
            ("leave", "readout"), ("readout", "output"),
        ]  # fmt: skip
        return nir.NIRGraph(nodes, edges, metadata={"dt": DT})


def fit(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, *, epochs: int, lr: float, seed: int) -> None:
    """AdamW, one cycle."""
    torch.manual_seed(seed)
    batches = len(x) // 64
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * batches)
    network.train()
    for _ in range(epochs):
        for index in torch.randperm(len(x))[: batches * 64].split(64):
            loss = F.cross_entropy(network(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()


def residual_graph(data: LabelledData, epochs: int, seed: int) -> nir.NIRGraph:
    """A trained residual network (stem, two basic blocks) as NIR."""
    torch.manual_seed(seed)
    spec = NetworkSpec(
        arch="resnet", input_shape=data.inputs.shape[1:], classes=10, channels=[16, 32],
        strides=[1, 2] if data.name == "digits" else [2, 2], steps=4,
        neuron={"activation": "sigmoid"},
    )  # fmt: skip
    network = build_network(spec)
    fit(network, torch.from_numpy(data.inputs), torch.from_numpy(data.labels), epochs=epochs, lr=5e-3, seed=seed)
    return network_to_nir(network, dt=DT)


def recurrent_graph(data: LabelledData, epochs: int, seed: int, hidden: int) -> nir.NIRGraph:
    """A trained recurrent CubaLIF network as NIR."""
    torch.manual_seed(seed)
    rows = torch.from_numpy(data.inputs[:, 0])
    network = RecurrentCuba(rows.shape[-1], hidden, 10)
    fit(network, rows, torch.from_numpy(data.labels), epochs=epochs, lr=5e-3, seed=seed)
    return network.to_nir()


def measure(graph: nir.NIRGraph, x: np.ndarray, labels: np.ndarray, *, steps: int, step: float, lava: int) -> dict:
    """Float and 8-bit accuracy on all samples, spike agreement, and mismatches between simulator and Lava.

    Args:
        x: [N, C, H, W] or [N, T, inputs].
        lava: samples that Lava runs.
    """
    compiled = compile_graph(graph, chip="loihi2", steps=steps, dt=DT, input_mode="graded", input_step=step)
    network = compiled.network
    right = {"float": 0, "8 bit": 0}
    equal = compared = 0
    for start in range(0, len(x), 500):
        part, truth = x[start : start + 500], labels[start : start + 500]
        reference = run_reference(graph, part, dt=DT, steps=steps, record=("spikes",))
        run = simulate(network, encode_input(network, part), record=("spikes",))
        (values,) = reference.outputs.values()
        # an integrating readout holds the sum over steps, a leaky one its membrane at the last
        scores = (
            values[:, -1] if "readout" in graph.nodes and isinstance(graph.nodes["readout"], nir.LI) else values.sum(1)
        )
        right["float"] += int((scores.argmax(1) == truth).sum())
        (values,) = run.outputs.values()
        right["8 bit"] += int((values.argmax(1) == truth).sum())
        for layer, spikes in reference.spikes.items():
            equal, compared = equal + int((run.spikes[layer] == spikes).sum()), compared + spikes.size
    encoded = encode_input(network, x[:lava])
    one, two = simulate(network, encoded), run_lava(network, encoded)
    mismatches = sum(
        int((getattr(one, kind)[name] != getattr(two, kind)[name]).sum())
        for kind in ("spikes", "membrane")
        for name in network.populations
    )
    return {
        **{name: 100 * n / len(x) for name, n in right.items()},
        "equal spikes": 100 * equal / compared,
        "rate": float(np.mean([one.spikes[n].mean() for n, p in network.populations.items() if p.fires])),
        "lava values": sum(2 * one.spikes[n].size for n in network.populations),
        "lava mismatches": mismatches,
        "delays": compiled.delays,
    }


def main() -> None:
    """Trains both, prints a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", choices=["digits", "fashion-mnist"])
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--lava", type=int, default=20, metavar="N", help="samples that Lava runs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    epochs = options.epochs or {"digits": 25, "fashion-mnist": 2}[options.data]
    training, testing = (load_data(f"{options.data}:{split}") for split in ("train", "test"))
    makers = {
        "residual": lambda: (residual_graph(training, epochs, options.seed), testing.inputs, 4),
        "recurrent CubaLIF": lambda: (
            recurrent_graph(training, epochs, options.seed, options.hidden), testing.inputs[:, 0],
            testing.inputs.shape[2],
        ),
    }  # fmt: skip
    for name, make in makers.items():
        began = time.perf_counter()
        graph, x, steps = make()
        trained = time.perf_counter() - began
        found = measure(graph, x, testing.labels, steps=steps, step=testing.step, lava=options.lava)
        print(
            f"{name} on {options.data}, {epochs} epochs ({trained:.0f} s): float {found['float']:.2f} %, "
            f"8 bit {found['8 bit']:.2f} % on {len(x)} images; {found['equal spikes']:.2f} % of spikes equal float; "
            f"mean rate {found['rate']:.3f}; Lava against simulator on {options.lava} images: "
            f"{found['lava values']:,} values, {found['lava mismatches']} mismatches; delays: "
            + (", ".join(f"{d['projection']} {d['steps']}" for d in found["delays"]) or "none"),
            flush=True,
        )


if __name__ == "__main__":
    main()
