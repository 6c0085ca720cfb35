"""Our own Lava processes, and recording variants of Lava's. Call `prepare_lava()` before importing this module.

The neurons' arithmetic is Lava's: every population runs `PyLifResetModelBitAcc.run_spk`, here only told which bias
and registers to use, and watched. A subclass of a Lava model keeps its `implements` (Lava forbids a second one);
`build` says which model each process gets.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset

from .layout import lava_shape, to_lava


class RecordedLifResetModel(PyLifResetModelBitAcc):
    """Lava's bit-accurate LIFReset, watched: `proc_params["recorder"]` gets spikes and membrane of each step."""

    def spiking_activation(self) -> np.ndarray:
        """Lava's own, kept for the recorder."""
        fired: np.ndarray = super().spiking_activation()
        self.fired = fired
        return fired

    def run_spk(self) -> None:
        """Lava's own step, then the record."""
        super().run_spk()
        self.proc_params["recorder"].write(self.time_step, self.fired, self.v)


class RegisterLifReset(LIFReset):
    """LIFReset with a register value a neuron, a bias a sample, soft reset and options: what LIFReset cannot say.

    Args:
        du, dv, vth: int arrays of `shape` (Lava's layout).
        sample_bias: (mant, exp), each int16 [N, *shape of the ChipNetwork's population], or None.
        subtract_reset: a spike lowers the membrane by the threshold instead of clearing it.
        v_min: int array of `shape`, the lowest membrane; None for no bound.
        v_start: int array of `shape`, the membrane after the reset between samples.
        refractory: steps after a spike in which the membrane stays at 0.
        max_spikes: most spikes of a step; above 1 their number is sent.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        du: np.ndarray,
        dv: np.ndarray,
        vth: np.ndarray,
        sample_bias: tuple[np.ndarray, np.ndarray] | None,
        subtract_reset: bool,
        v_min: np.ndarray | None = None,
        v_start: np.ndarray | None = None,
        refractory: int = 0,
        max_spikes: int = 1,
        **kwargs: Any,
    ):
        super().__init__(shape=shape, **kwargs)
        self.proc_params["sample_bias"] = sample_bias
        self.proc_params["subtract_reset"] = subtract_reset
        self.proc_params["options"] = (v_min, v_start, refractory, max_spikes)
        self.du = Var(shape=shape, init=du)
        self.dv = Var(shape=shape, init=dv)
        self.vth = Var(shape=shape, init=vth)


class RegisterLifResetModel(RecordedLifResetModel):
    """Lava's bit-accurate LIFReset with array-shaped registers."""

    du: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    dv: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=17)

    def __init__(self, proc_params: Any):
        super().__init__(proc_params)
        self._v_min, self._v_start, self._refractory, self._max_spikes = proc_params["options"]
        self._waits: np.ndarray | int = 0  # steps that each membrane is still refractory

    def subthr_dynamics(self, activation_in: np.ndarray) -> None:
        """Lava's own, from the start of a sample on; then the lower bound and the refractory time."""
        if self.time_step % self.reset_interval == self.reset_offset:  # Lava has set all states to 0
            self._waits = 0
            if self._v_start is not None:
                self.v[:] = self._v_start
        super().subthr_dynamics(activation_in)
        if self._v_min is not None:
            self.v[:] = np.maximum(self.v, self._v_min)
        if self._refractory:
            self.v[np.broadcast_to(np.asarray(self._waits) > 0, self.v.shape)] = 0

    def run_spk(self) -> None:
        """Takes over the sample's bias registers at its first step, then does Lava's own step."""
        sample_bias = self.proc_params["sample_bias"]
        moment = self.proc_params["recorder"].moment(self.time_step)
        if sample_bias is not None and moment is not None and moment[1] == 0:
            mant, exp = sample_bias
            self.bias_mant[:] = to_lava(mant[moment[0]])
            self.bias_exp[:] = to_lava(exp[moment[0]])
        super().run_spk()
        if self._refractory:
            self._waits = np.where(self.fired > 0, self._refractory, np.maximum(np.asarray(self._waits) - 1, 0))

    def spiking_activation(self) -> np.ndarray:
        """Lava's own, or how many spikes there are."""
        fired = super().spiking_activation()
        if self._max_spikes > 1:
            over = (self.v.astype(np.int64) - 1) // self.effective_vth
            fired = self.fired = np.clip(over, 0, self._max_spikes).astype(np.int32)
        return fired

    def reset_voltage(self, spike_vector: np.ndarray) -> None:
        """Hard reset as Lava has it, or soft."""
        fired = spike_vector > 0
        if self.proc_params["subtract_reset"]:
            self.v[fired] -= (spike_vector * self.effective_vth)[fired]
        else:
            super().reset_voltage(fired)


class MessageSource(AbstractProcess):
    """Sends the samples' messages back to back, then nothing.

    Args:
        messages: int32 [N, T, *shape], or [N, 1, *shape] where all steps are the same.
        steps: T.
    """

    def __init__(self, *, messages: np.ndarray, steps: int, name: str):
        super().__init__(messages=messages, steps=steps, name=name)
        self.s_out = OutPort(shape=lava_shape(messages.shape[2:]))


@implements(proc=MessageSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class MessageSourceModel(PyLoihiProcessModel):
    """Sends one step of `messages` a step."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        """Sends this step's messages."""
        messages = self.proc_params["messages"]
        sample, step = divmod(self.time_step - 1, self.proc_params["steps"])
        if sample < len(messages):
            frame = messages[sample, 0 if messages.shape[1] == 1 else step]
        else:
            frame = np.zeros(messages.shape[2:], dtype=np.int32)
        self.s_out.send(to_lava(frame))


class SpikeDelay(AbstractProcess):
    """Hands messages on, some steps later, and keeps them within their sample.

    State is cleared between samples, and so must be the spikes in flight: a message that would arrive in the next
    sample is dropped.

    Args:
        wait: steps that Lava must hold the message (the hop itself costs one more).
        delay: the projection's logical delay.
        depth: pipeline stage of the source.
        steps: steps of a sample.
    """

    def __init__(self, *, shape: tuple[int, ...], wait: int, delay: int, depth: int, steps: int, name: str):
        super().__init__(shape=shape, wait=wait, delay=delay, depth=depth, steps=steps, name=name)
        self.s_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)


@implements(proc=SpikeDelay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class SpikeDelayModel(PyLoihiProcessModel):
    """A queue of `wait` messages."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any):
        super().__init__(proc_params)
        self._waiting = deque(np.zeros(proc_params["shape"], np.int32) for _ in range(proc_params["wait"]))

    def run_spk(self) -> None:
        """Takes a message, sends the one whose time has come."""
        message = self.s_in.recv()
        sample, step = divmod(self.time_step - 1 - self.proc_params["depth"], self.proc_params["steps"])
        if sample < 0 or step + self.proc_params["delay"] >= self.proc_params["steps"]:
            message = np.zeros_like(message)
        self._waiting.append(message)
        self.s_out.send(self._waiting.popleft())
