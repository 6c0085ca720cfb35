"""Norse's neurons with the parameters that make each the NIR node it stands for.

Norse's own reader (`norse.torch.from_nir`, 1.1) leaves out r, v_reset and IF's r, and takes dt = 1 ms if not told:
docs/nir-dialects.md has the measured table. Here r and w_in scale the input, which is all that they do in NIR's
equations, and resets go into Norse's own parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.neurons import neuron_dynamics

State = tuple[torch.Tensor, ...]
ToTensor = Callable[[np.ndarray | float], torch.Tensor]


class NorseCell(nn.Module):
    """One population; `step(x, state)` gives (output, state), the membrane is the state's last member."""

    at_rest: torch.Tensor
    w_in: torch.Tensor
    r: torch.Tensor

    def __init__(self, name: str, node: nir.NIRNode, dt: float, dtype: torch.dtype = torch.float64):
        super().__init__()
        self.dt = dt
        dynamics = neuron_dynamics(name, node, dt)  # for its checks, and for the way it reads resets
        self.spikes = dynamics.threshold is not None
        if lacking := [o for o in dynamics.options if o != "start"]:
            raise UserError(f"Norse's box neurons have no {lacking[0]}", where=name, remedy="use --engine nir")
        if isinstance(node, nir.Threshold):
            raise UserError("Norse has no neuron without a state (Threshold)", where=name, remedy="use --engine nir")

        def tensor(value: np.ndarray | float) -> torch.Tensor:
            return torch.as_tensor(np.asarray(value, dtype=np.float64)).to(dtype)

        self.register_buffer("at_rest", tensor(dynamics.start))
        synapse = isinstance(node, nir.CubaLIF | nir.CubaLI)
        self.synapse = _leaky_integrator(tensor(node.tau_syn), tensor(0.0), dt) if synapse else None
        self.register_buffer("w_in", tensor(node.w_in) if synapse else tensor(1.0))
        if isinstance(node, nir.IF | nir.I):
            self.register_buffer("r", tensor(node.r) * dt)
            self.membrane = _integrator(name, node, tensor, dynamics.reset, dt)
            return
        self.register_buffer("r", tensor(node.r))
        tau = tensor(node.tau_mem if synapse else node.tau)
        if self.spikes:
            self.membrane = _leaky_neuron(node, tau, tensor, dynamics.reset, dt)
        else:
            self.membrane = _leaky_integrator(tau, tensor(node.v_leak), dt)

    def rest(self, samples: int, shape: tuple[int, ...]) -> State:
        """The state before the first step."""
        v = torch.zeros(samples, *shape, dtype=self.at_rest.dtype) + self.at_rest
        return (torch.zeros_like(v), v) if self.synapse is not None else (v,)

    def step(self, x: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """Spikes, or the membrane of a neuron that never fires, and the new state."""
        x = self.w_in * x
        kept: State = ()
        if self.synapse is not None:
            from norse.torch.functional.leaky_integrator_box import LIBoxState

            x, synapse = self.synapse(x, LIBoxState(state[0]))
            kept = (synapse.v,)
        out, membrane = self.membrane(self.r * x, self._membrane_state(state[-1]))
        return (out if self.spikes else membrane.v), (*kept, membrane.v)

    def _membrane_state(self, v: torch.Tensor) -> Any:
        from norse.torch.functional.iaf import IAFFeedForwardState
        from norse.torch.functional.leaky_integrator_box import LIBoxState
        from norse.torch.functional.lif_box import LIFBoxFeedForwardState
        from norse.torch.module.iaf import IAFCell

        if isinstance(self.membrane, IAFCell):
            return IAFFeedForwardState(v)
        return LIFBoxFeedForwardState(v) if self.spikes else LIBoxState(v)


def _leaky_integrator(tau: torch.Tensor, v_leak: torch.Tensor, dt: float) -> nn.Module:
    from norse.torch import LIBoxCell, LIBoxParameters

    cell: nn.Module = LIBoxCell(LIBoxParameters(tau_mem_inv=1 / tau, v_leak=v_leak), dt=dt)
    return cell


def _leaky_neuron(node: nir.NIRNode, tau: torch.Tensor, tensor: ToTensor, reset: str, dt: float) -> nn.Module:
    from norse.torch import LIFBoxCell, LIFBoxParameters
    from norse.torch.functional.reset import reset_subtract, reset_value

    cell: nn.Module = LIFBoxCell(
        LIFBoxParameters(
            tau_mem_inv=1 / tau,
            v_leak=tensor(node.v_leak),
            v_th=tensor(node.v_threshold),
            v_reset=tensor(node.v_reset),
            reset_method=reset_subtract if reset == "subtract" else reset_value,
        ),
        dt=dt,
    )
    return cell


def _integrator(name: str, node: nir.NIRNode, tensor: ToTensor, reset: str, dt: float) -> nn.Module:
    from norse.torch.functional.iaf import IAFParameters
    from norse.torch.module.iaf import IAFCell

    if reset == "subtract":
        raise UserError("Norse's IAF can't reset by subtraction", where=name, remedy="use --engine nir")
    if isinstance(node, nir.I):  # an integrator that never fires
        parameters = IAFParameters(v_th=tensor(np.inf), v_reset=tensor(0.0))
    else:
        parameters = IAFParameters(v_th=tensor(node.v_threshold), v_reset=tensor(node.v_reset))
    cell: nn.Module = IAFCell(parameters, dt=dt)
    return cell
