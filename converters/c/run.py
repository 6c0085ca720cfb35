"""Runs a ChipNetwork as C on this machine: samples spread over threads, each with a state of its own."""

from __future__ import annotations

import ctypes
import itertools
import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.devices import processor_cores
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import InputData, take_samples
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording

from .host import HostData, host_layers
from .library import load_library
from .make_plan import plan_c
from .plan import Plan

LEVEL_TYPES = {None: np.uint8, "uint8_t": np.uint8, "int16_t": np.int16, "int32_t": np.int32}
OUTPUT_TYPES = {"int32_t": np.int32, "int64_t": np.int64}
ALIGNMENT = 64  # bytes of a cache line


class CNetwork:
    """A network, built.

    Args:
        steps: of a sample at most; the network's own by default.
        bias_inputs: populations whose bias comes with the samples; the targets of host projections by default.
        fast: see `plan_c`.
        flags: of the compiler, instead of those for speed.
        cache: False builds it anew.

    Raises:
        UserError: no compiler, or what `plan_c` refuses.
    """

    def __init__(
        self,
        network: ChipNetwork,
        steps: int | None = None,
        *,
        bias_inputs: Iterable[str] | None = None,
        fast: bool = True,
        flags: tuple[str, ...] | None = None,
        cache: bool = True,
    ):
        self.plan = plan_c(network, steps, bias_inputs, fast=fast)
        library = load_library(self.plan, flags, cache=cache)
        library.snn_engine_state_size.restype = ctypes.c_size_t
        self._state_size: int = library.snn_engine_state_size()
        self._run = library.snn_engine_run
        self._run.restype = None
        self._states: deque[np.ndarray] = deque()  # memory of runs that have ended
        self._hosts = host_layers(self.plan)
        structures = [layer.structure() for layer in self._hosts]
        self._host_layers = (type(structures[0]) * len(structures))(*structures) if structures else None
        self._currents = max((layer.space.size for layer in self.plan.layers if layer.bias is None), default=0)

    def run(
        self, encoded: EncodedInput, record: Iterable[str] = ("spikes", "membrane"), *, threads: int | None = None
    ) -> Recording:
        """Runs all samples.

        Args:
            record: any of "spikes", "membrane" and "counts", for all populations; outputs are always there.
            threads: by default `$OMP_NUM_THREADS`, else one for each core.
        """
        return self._run_samples(encoded, None, record, threads)

    def run_data(
        self,
        data: InputData,
        record: Iterable[str] = ("spikes", "membrane"),
        *,
        steps: int | None = None,
        threads: int | None = None,
    ) -> Recording:
        """As `run` of what `encode_input` makes of the samples; C computes the host's layers as well.

        Where the order in which a host's sum is added up might decide how a bias is rounded, `encode_input` decides.

        Args:
            data, steps: see `encode_input`, which says what it raises.
        """
        network = self.plan.network
        if not self._hosts:
            return self.run(encode_input(network, data, steps=steps), record, threads=threads)
        encoded = encode_input(network, data, steps=steps, host=False)
        host = HostData.of(data, self._hosts)
        recording = self._run_samples(encoded, host, record, threads)
        for sample in np.flatnonzero(host.left_out):
            part = slice(sample, sample + 1)
            one = self.run(encode_input(network, take_samples(data, part), steps=encoded.steps), record, threads=1)
            for kind, arrays in vars(recording).items():
                for name, array in arrays.items():
                    array[part] = getattr(one, kind)[name]
        return recording

    def _run_samples(
        self, encoded: EncodedInput, host: HostData | None, record: Iterable[str], threads: int | None
    ) -> Recording:
        network, record = self.plan.network, set(record)
        recording = Recording()
        for name, population in network.populations.items() if record else ():
            whole = (encoded.samples, encoded.steps, *population.shape)
            if "spikes" in record:
                recording.spikes[name] = np.zeros(whole, np.uint8)
            if "membrane" in record:
                recording.membrane[name] = np.empty(whole, np.int32)
            if "counts" in record:
                recording.counts[name] = np.zeros((encoded.samples, *population.shape), np.int64)
        outputs = {
            o.name: np.empty((encoded.samples, *network.populations[o.layer.name].shape), OUTPUT_TYPES[o.ctype])
            for o in self.plan.outputs
        }
        call = _Call(self.plan, encoded, host, recording, outputs)
        threads = max(1, min(threads or _threads(), encoded.samples))
        edges = [encoded.samples * n // threads for n in range(threads + 1)]
        ranges = [range(a, b) for a, b in itertools.pairwise(edges)]
        if threads == 1:
            self._run_range(call, ranges[0])
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda samples: self._run_range(call, samples), ranges))
        recording.outputs = {name: values.astype(np.int64) for name, values in outputs.items()}
        return recording

    def _run_range(self, call: _Call, samples: range) -> None:
        currents = -(-self._currents * np.dtype(np.float64).itemsize // ALIGNMENT) * ALIGNMENT
        try:
            memory = self._states.pop()
        except IndexError:
            memory = np.empty(currents + self._state_size + ALIGNMENT, np.uint8)
        address = _address(memory)
        first = address + -address % ALIGNMENT  # of the currents; then the state
        host = None if call.host is None else self._host_layers
        # ctypes lets other threads run meanwhile
        self._run(
            ctypes.c_void_p(first + currents),
            ctypes.c_size_t(len(samples)),
            ctypes.c_size_t(call.steps),
            call.arrays(samples.start),
            host,
            ctypes.c_void_p(first),
        )
        self._states.append(memory)


class _Call:
    """Arrays of a run, in the order in which snn_engine_run takes them."""

    def __init__(
        self,
        plan: Plan,
        encoded: EncodedInput,
        host: HostData | None,
        recording: Recording,
        outputs: dict[str, np.ndarray],
    ):
        self.steps, self.host = encoded.steps, host
        messages = [(encoded.messages[source.name], LEVEL_TYPES[source.level_type]) for source in plan.inputs]
        frames = [np.ascontiguousarray(array, dtype) for array, dtype in messages]
        self._moving = np.array([array.shape[1] > 1 for array in frames], np.uint8)
        outside = [layer.name for layer in plan.layers if layer.bias is None]
        biases = [None if host is not None else _bias(*encoded.bias[name]) for name in outside]
        kinds = (recording.spikes, recording.membrane, recording.counts)
        nothing = [None] * len(plan.layers)  # most calls record little, and samples may come one by one
        records = [each for kind in kinds for each in ([kind[x.name] for x in plan.layers] if kind else nothing)]
        self._by_sample = [*frames, *biases, *(outputs[output.name] for output in plan.outputs), *records]
        self._by_sample += [] if host is None else [*host.inputs, host.left_out]
        self._type = ctypes.c_void_p * (1 + len(self._by_sample))

    def arrays(self, first: int) -> object:
        """From sample `first` on; a null pointer for what is not recorded."""
        starts = [None if a is None else _address(a) + first * a.strides[0] for a in self._by_sample]
        return self._type(_address(self._moving), *starts)


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]  # several times as fast as array.ctypes.data
    return address


def _bias(mantissa: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(mantissa.astype(np.int32) << exponent.astype(np.int32))


def _threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else processor_cores()
