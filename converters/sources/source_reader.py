"""What every source is to the rest: something that can be taken, and brought to the one form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from ..source import Source


@dataclass(frozen=True)
class ReadRequest:
    """What the user said of the network beside the network itself.

    Attributes:
        dt: time step in seconds; None leaves it to the source.
        steps: steps of a sample, where the source does not say.
        example: real samples, for sources that have to be run to be read: [N, *shape], shown at each step, or with
            time in them.
        time_axis: axis of `example` that is time; None where each sample is shown at each step.
        reset: "zero" or "subtract", where a graph does not say what a spike does to the membrane.
        labels: of `example`, [N] classes, to measure what a rewrite costs.
        rewrite: what may be made of an operation that the chip can't do, by the operation's name.
    """

    dt: float | None = None
    steps: int | None = None
    example: Any = None
    time_axis: int | None = None
    reset: str | None = None
    rewrite: Mapping[str, str] = field(default_factory=dict)
    labels: Any = None


class SourceReader(ABC):
    """One kind of network that can be exported; `SOURCES` holds one object of each class, made without arguments.

    Attributes:
        name: what it is called in the table, the docs and in messages.
        about: what it takes, in a few words that follow "give".
        in_memory: True for objects of a Python program, False for files.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    in_memory: ClassVar[bool] = False

    @abstractmethod
    def takes(self, given: object) -> bool:
        """Whether this is the reader for what the user gave.

        Args:
            given: a `Path` that exists, or an object in memory.
        """

    @abstractmethod
    def read(self, given: Any, asked: ReadRequest) -> Source:
        """The network in the one form.

        Args:
            given: what `takes` took.
            asked: what the user said beside it.

        Raises:
            UserError: damaged, foreign, or something that NIR can't say.
        """
