"""What a machine measured of its own devices, as a file that another machine's report takes in.

`dalif-energy --measure-only --json FILE` writes it, `--measured FILE` reads it. It names the network by the SHA-256 of
its file, so that a measurement of another network is not taken for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ...errors import UserError
from ..figures import Count, Part
from .cpu_measurement import MeasuredCpu
from .gpu_measurement import MeasuredGpu


class MeasuredElsewhere(Part):
    """Measurements of one machine.

    Attributes:
        machine: its system, as Python names it; the devices' names stand at their rows.
        network_sha256: of network.nir.
        gpu_not_measured_because, cpu_not_measured_because: empty where there are rows.
    """

    mark: str | None = None  # of files: who wrote them
    report: Literal["dalif-energy measurement"] = "dalif-energy measurement"
    version: Literal[1] = 1
    machine: str
    network_sha256: str
    artefact: str
    data: str
    samples: Count
    steps: Count
    gpu: list[MeasuredGpu]
    gpu_not_measured_because: str
    cpu: list[MeasuredCpu]
    cpu_not_measured_because: str

    def to_dict(self) -> dict[str, Any]:
        """As in the file."""
        return self.model_dump(exclude={"mark"})

    def require_network(self, sha256: str | None) -> None:
        """Raises:
        UserError: another network was measured.
        """
        if self.network_sha256 != sha256:
            raise UserError(
                f"the measurement is of another network ({self.artefact or 'no name'})",
                remedy="measure this one: dalif-energy --measure-only",
            )


def read_measured(path: Path) -> MeasuredElsewhere:
    """A file of `dalif-energy --measure-only`.

    Raises:
        UserError: it can't be read, or is no such file.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror})", where=str(path)) from error
    try:
        return MeasuredElsewhere.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"is no measurement of dalif-energy --measure-only: {place}: {first['msg']}", where=str(path)
        ) from error
