"""Small networks of other frameworks: written by their own NIR writers, run in their own simulators.

Frameworks are imported inside the functions, so that a missing one skips its own tests only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.converters.nir_file import write_nir

SNNTORCH_DT = 1e-4  # fixed in snnTorch's writer; SpikingJelly's default too
NORSE_DT = 1e-3  # Norse's default
SINABS_DT = 1.0  # sinabs counts time constants in steps


@dataclass
class Peer:
    """A network of another framework.

    Attributes:
        write: path -> writes the NIR file with the framework's own writer.
        spikes: input [N, T, *shape] -> node name in the NIR file -> the framework's own output, [N, T, *shape].
        shape: of one input sample at one step.
        dt: what the graph has to be stepped with, in seconds, to be the framework's network.
    """

    write: Callable[[str], None]
    spikes: Callable[[np.ndarray], dict[str, np.ndarray]]
    shape: tuple[int, ...]
    dt: float


def seeded(model: nn.Module, seed: int = 0, scale: float = 1.5) -> nn.Module:
    """Weights large enough that every layer fires, and biases; drawn by numpy, so the same for all torch versions."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            values = rng.normal(0.3, 1.0, parameter.shape) * scale / np.sqrt(np.prod(parameter.shape[1:]))
        elif parameter.ndim == 1:
            values = rng.normal(0.0, 0.1, parameter.shape)
        else:
            continue  # a neuron's learnable decay
        parameter.data = torch.as_tensor(values, dtype=parameter.dtype)
    return model


def _recorded(modules: dict[str, nn.Module], run: Callable[[], None]) -> dict[str, list[torch.Tensor]]:
    """Outputs of `modules`, one at each call."""
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in modules}

    def keep(name: str) -> Callable:
        return lambda _module, _arguments, out: seen[name].append(out[0] if isinstance(out, tuple) else out)

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _stepped(modules: dict[str, nn.Module], steps: int, run: Callable[[], None]) -> dict[str, np.ndarray]:
    return {name: torch.stack(outs[-steps:], 1).numpy() for name, outs in _recorded(modules, run).items()}


# snnTorch ---------------------------------------------------------------------------------------------------------


def _spike(membrane_above: torch.Tensor) -> torch.Tensor:
    """snnTorch's own step function, without the surrogate gradient, which makes float32 of everything."""
    return (membrane_above > 0).to(membrane_above.dtype)


def snntorch_peer(layers: Callable, shape: tuple[int, ...], **neuron: object) -> Peer:
    """`layers(snn, full, neuron)` gives the modules; `full(value, *shape)` a parameter written out.

    snnTorch 1.0's writer infers the shapes of its graph and fails on scalar betas and thresholds.
    """
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    options = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False, "spike_grad": _spike, **neuron}

    def full(value: float, *size: int) -> torch.Tensor:
        return torch.full(size, value, dtype=torch.float64)

    # float32 constants of the neurons' own become float64 with the rest
    model = seeded(nn.Sequential(*layers(snn, full, options)).double())
    spiking = {
        f"{name}.lif" if isinstance(module, snn.RLeaky | snn.RSynaptic) else name: module
        for name, module in model.named_children()
        if isinstance(module, snn.SpikingNeuron)
    }

    def reset() -> None:
        for module in spiking.values():
            module.reset_mem()

    def write(path: str) -> None:
        reset()
        sample = torch.zeros(1, *shape, dtype=torch.float64)
        nir.write(path, export_to_nir(model, sample, ignore_dims=[0]))

    def spikes(x: np.ndarray) -> dict[str, np.ndarray]:
        def run() -> None:
            reset()
            for step in torch.from_numpy(x).double().unbind(1):
                model(step)

        return _stepped(spiking, x.shape[1], run)

    return Peer(write, spikes, shape, SNNTORCH_DT)


def snntorch_conv(**neuron: object) -> Peer:
    return snntorch_peer(
        lambda snn, full, options: [
            nn.Conv2d(2, 4, 3, padding=1),
            snn.Leaky(beta=full(0.7, 4, 6, 6), threshold=full(1.0, 4, 6, 6), **options),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 8),
            snn.Leaky(beta=full(0.6, 8), threshold=full(0.8, 8), **options),
            nn.Linear(8, 5, bias=False),
            snn.Synaptic(alpha=full(0.5, 5), beta=full(0.8, 5), threshold=full(1.5, 5), **options),
        ],
        (2, 6, 6),
        **neuron,
    )


def snntorch_dense(**neuron: object) -> Peer:
    return snntorch_peer(
        lambda snn, full, options: [
            nn.Linear(12, 10),
            snn.Leaky(beta=full(0.8, 10), threshold=full(1.0, 10), **options),
        ],
        (12,),
        **neuron,
    )


def snntorch_recurrent(*, all_to_all: bool) -> Peer:
    own = {"linear_features": 10} if all_to_all else {"V": torch.linspace(-1, 1, 10), "all_to_all": False}
    return snntorch_peer(
        lambda snn, full, options: [
            nn.Linear(12, 10),
            snn.RLeaky(beta=0.7, **own, **options),
            nn.Linear(10, 6),
            snn.Leaky(beta=full(0.5, 6), threshold=full(1.0, 6), **options),
        ],
        (12,),
    )


def snntorch_recurrent_synaptic() -> Peer:
    """Its immediate reset raises in snnTorch 1.0.0 (`spk` for `self.spk`), so only the delayed one can run."""
    return snntorch_peer(
        lambda snn, full, options: [nn.Linear(12, 10), snn.RSynaptic(0.5, 0.7, linear_features=10, **options)],
        (12,),
        reset_delay=True,
    )


# SpikingJelly -----------------------------------------------------------------------------------------------------


def spikingjelly_peer(layers: Callable, shape: tuple[int, ...], *, weight: float | None = None) -> Peer:
    """`layers(neuron, layer)` gives the modules; `weight` is the first layer's, where it must be known."""
    from spikingjelly.activation_based import base, functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    model = seeded(nn.Sequential(*layers(neuron, layer))).double()
    if weight is not None:
        nn.init.constant_(model[0].weight, weight)
    spiking = {f"_{n}": m for n, m in model.named_children() if isinstance(m, base.MemoryModule)}

    def write(path: str) -> None:
        functional.reset_net(model)
        export_to_nir(model, torch.zeros(1, *shape, dtype=torch.float64), save_path=path)

    def spikes(x: np.ndarray) -> dict[str, np.ndarray]:
        def run() -> None:
            functional.reset_net(model)
            for step in torch.from_numpy(x).double().unbind(1):
                model(step)

        return _stepped(spiking, x.shape[1], run)

    return Peer(write, spikes, shape, SNNTORCH_DT)


def spikingjelly_conv() -> Peer:
    return spikingjelly_peer(
        lambda neuron, layer: [
            layer.Conv2d(2, 4, 3, padding=1),
            neuron.LIFNode(tau=2.5, decay_input=False, v_reset=0.0),
            layer.AvgPool2d(2),
            layer.Flatten(),
            layer.Linear(36, 8),
            neuron.CUBALIFNode(c_decay=0.5, v_decay=0.75, v_threshold=1.2, v_reset=0.0),
            layer.Linear(8, 8, bias=False),
            neuron.ParametricLIFNode(init_tau=3.0, v_threshold=0.3, v_reset=-0.1),
            layer.Linear(8, 5),
            neuron.IFNode(v_threshold=1.5, v_reset=0.25),
        ],
        (2, 6, 6),
    )


def spikingjelly_tie() -> Peer:
    """An IF neuron that whole weights bring onto the threshold itself."""
    return spikingjelly_peer(
        lambda neuron, layer: [layer.Linear(1, 1, bias=False), neuron.IFNode(v_threshold=2.0)], (1,), weight=1.0
    )


# Norse ------------------------------------------------------------------------------------------------------------


def norse_peer(layers: Callable, shape: tuple[int, ...], *, writer_dt: float = 1.0, dt: float = NORSE_DT) -> Peer:
    """`layers(norse, tensor)` gives the modules.

    Norse's `to_nir(dt=...)` multiplies the time constants, which are in seconds already, by dt: 1 leaves them.
    """
    import norse.torch as norse

    def tensor(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float64)

    model = seeded(norse.SequentialState(*layers(norse, tensor)).double())
    cells = {n: m for n, m in model.named_children() if hasattr(m, "p")}

    def write(path: str) -> None:
        write_nir(path, norse.to_nir(model, torch.zeros(1, *shape, dtype=torch.float64), dt=writer_dt))

    def spikes(x: np.ndarray) -> dict[str, np.ndarray]:
        def run() -> None:
            state = None
            for step in torch.from_numpy(x).double().unbind(1):
                _, state = model(step, state)

        return _stepped(cells, x.shape[1], run)

    return Peer(write, spikes, shape, dt)


def norse_conv(**options: float) -> Peer:
    """No Flatten and no pooling: Norse 1.1 can't write them."""
    return norse_peer(
        lambda norse, tensor: [
            nn.Conv2d(2, 4, 3, stride=2, padding=1),
            norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=tensor(300.0), v_th=tensor(0.3)), dt=NORSE_DT),
            nn.Conv2d(4, 5, 3),
            norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=tensor(500.0), v_th=tensor(0.2)), dt=NORSE_DT),
        ],
        (2, 6, 6),
        **options,
    )


def norse_dense(cell: str, **parameters: float) -> Peer:
    """One layer of `cell` ("LIFBox", "LIF", "IAF")."""
    own = {"IAF": {}, "LIF": {"dt": NORSE_DT}, "LIFBox": {"dt": NORSE_DT}}[cell]
    return norse_peer(
        lambda norse, tensor: [
            nn.Linear(12, 10),
            getattr(norse, f"{cell}Cell")(
                getattr(norse, f"{cell}Parameters")(**{k: tensor(v) for k, v in parameters.items()}), **own
            ),
        ],
        (12,),
    )


# sinabs -----------------------------------------------------------------------------------------------------------


def sinabs_peer(layers: Callable, shape: tuple[int, ...], **neuron: object) -> Peer:
    """`layers(sl, neuron)` gives the modules; by default neurons fire once a step and reset to 0, as NIR says.

    sinabs' own defaults (several spikes a step, reset by subtraction) are not in the file it writes.
    """
    import sinabs
    import sinabs.activation
    import sinabs.layers as sl
    from sinabs.nir import to_nir

    once = {"spike_fn": sinabs.activation.SingleSpike, "reset_fn": sinabs.activation.MembraneReset()}
    model = seeded(nn.Sequential(*layers(sl, {"batch_size": 1, **once, **neuron})))
    spiking = {n: m for n, m in model.named_children() if isinstance(m, sl.StatefulLayer)}

    def write(path: str) -> None:
        sinabs.reset_states(model)
        write_nir(path, to_nir(model, torch.zeros(2, *shape)))

    def spikes(x: np.ndarray) -> dict[str, np.ndarray]:
        parts: dict[str, list[np.ndarray]] = {n: [] for n in spiking}
        for sample in torch.from_numpy(x).float():
            # batch and time are one axis in the *Squeeze layers
            sinabs.reset_states(model)
            for name, outs in _recorded(spiking, lambda sample=sample: model(sample)).items():
                parts[name].append(outs[-1].numpy())
        return {name: np.stack(each) for name, each in parts.items()}

    return Peer(write, spikes, shape, SINABS_DT)


def sinabs_conv() -> Peer:
    return sinabs_peer(
        lambda sl, neuron: [
            nn.Conv2d(2, 4, 3, padding=1, bias=False),
            sl.IAFSqueeze(**neuron),
            sl.SumPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 8),
            sl.IAFSqueeze(spike_threshold=torch.tensor(2.5), **neuron),
        ],
        (2, 6, 6),
    )


def sinabs_dense(cell: str, **neuron: object) -> Peer:
    """One layer of `cell` ("LIF", "IAF")."""
    return sinabs_peer(
        lambda sl, options: [nn.Linear(12, 10), getattr(sl, f"{cell}Squeeze")(**options)], (12,), **neuron
    )
