"""Lava's message passing within one operating-system process: a thread for each Lava process.

Lava starts an operating-system process for each of its processes and hands messages over through shared memory: half a
second to start ten of them, however little they compute. Its message infrastructure is made to be replaced; this one
has threads and queues, which starts hundreds of small networks a minute. Compiler, runtime, process models and their
arithmetic are Lava's own in both. Call `prepare_lava()` before importing this module.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from lava.magma.compiler.channels.interfaces import Channel, ChannelType
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSendPort, Proto
from lava.magma.runtime import runtime
from lava.magma.runtime.message_infrastructure.message_infrastructure_interface import MessageInfrastructureInterface


class _SendPort(CspSendPort):
    def __init__(self, name: str, proto: Proto, size: int, receiver: _ReceivePort):
        super().__init__(name, None, proto, size, None, None, None, None)
        self._receiver = receiver

    def start(self) -> None:
        """Nothing to start: no listener is needed."""

    def join(self) -> None:
        """Nothing to end."""

    def probe(self) -> bool:
        """True: a message never waits for room."""
        return True

    def send(self, data: np.ndarray) -> None:
        """Sends a copy, in the channel's type, as writing to shared memory would."""
        if data.shape != self._shape:
            raise AssertionError(f"message of shape {data.shape} on a channel of {self._shape}")
        message = np.empty(self._shape, self._dtype)
        message[:] = data[:]
        self._receiver.put(message)


class _ReceivePort(CspRecvPort):
    def __init__(self, name: str, proto: Proto, size: int):
        super().__init__(name, None, proto, size, None, None, None, None)
        self._messages: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._peeked: np.ndarray | None = None

    def start(self) -> None:
        """Nothing to start: no listener is needed."""

    def join(self) -> None:
        """Nothing to end."""

    def put(self, message: np.ndarray) -> None:
        """Takes a message from the sender's thread."""
        self._messages.put(message)
        observer = self.observer
        if observer is not None:
            observer()

    def probe(self) -> bool:
        """True if a message is there."""
        return self._peeked is not None or not self._messages.empty()

    def peek(self) -> np.ndarray:
        """The next message, which stays."""
        self._peeked = self.recv()
        return self._peeked.copy()

    def recv(self) -> np.ndarray:
        """The next message; waits for it."""
        message, self._peeked = self._peeked, None
        return self._messages.get() if message is None else message


class ThreadedChannel(Channel):
    """A queue between two threads, with the face of Lava's PyPyChannel."""

    def __init__(
        self,
        message_infrastructure: Any,
        src_name: str,
        dst_name: str,
        shape: tuple[int, ...],
        dtype: Any,
        size: int,
        *watchdogs: Any,
    ):
        proto = Proto(shape, dtype, 0)
        self._target = _ReceivePort(dst_name, proto, size)
        self._source = _SendPort(src_name, proto, size, self._target)

    @property
    def src_port(self) -> CspSendPort:
        """Where messages go in."""
        return self._source

    @property
    def dst_port(self) -> CspRecvPort:
        """Where they come out."""
        return self._target


class _Actor(threading.Thread):
    """A Lava process as a thread."""

    def __init__(self, target: Callable[..., None], builder: Any, failures: queue.SimpleQueue[Any]):
        super().__init__(daemon=True)
        self._work, self._builder, self._failures = target, builder, failures
        self._parent_pid = None  # Lava joins only its own children
        self.exception: tuple[BaseException, str] | None = None

    def run(self) -> None:
        """Does what Lava's SystemProcess does."""
        try:
            self._work(builder=self._builder, exception_q=self._failures)
        except BaseException as error:
            self.exception = (error, traceback.format_exc())
            traceback.print_exc()


class ThreadedMessaging(MessageInfrastructureInterface):
    """Message infrastructure of threads."""

    def __init__(self) -> None:
        self._actors: list[_Actor] = []

    @property
    def actors(self) -> list[_Actor]:
        """The threads."""
        return self._actors

    @property
    def smm(self) -> None:
        """No shared memory."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to end: the threads are daemons."""

    def build_actor(self, target_fn: Callable[..., None], builder: Any, exception_q: queue.SimpleQueue[Any]) -> _Actor:
        """Starts a thread."""
        actor = _Actor(target_fn, builder, exception_q)
        actor.start()
        self._actors.append(actor)
        return actor

    def channel_class(self, channel_type: ChannelType) -> type[Channel]:
        """All channels are alike."""
        return ThreadedChannel


def use_threads() -> None:
    """Makes Lava's runtimes of this interpreter start threads from now on."""
    runtime.MessageInfrastructureFactory = SimpleNamespace(create=lambda kind: ThreadedMessaging())
    runtime.Queue = queue.SimpleQueue
