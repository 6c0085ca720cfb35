"""Source "net": a .net file of lava-dl, whose integers stay as they are."""

from __future__ import annotations

from pathlib import Path

from ..file_digest import file_digest
from ..source import Source
from .source_reader import ReadRequest, SourceReader


class NetFileSource(SourceReader):
    """Integers, and the float graph that they stand for."""

    name, about = "net", "a .net file of lava-dl"

    def takes(self, given: object) -> bool:
        """See SourceReader."""
        return isinstance(given, Path) and given.suffix.lower() == ".net"

    def read(self, given: Path, asked: ReadRequest) -> Source:
        """See SourceReader."""
        from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT

        from ..netx.read import read_net
        from ..netx.to_nir import integers_to_nir

        digest = file_digest(given)
        network = read_net(given)
        dt = asked.dt or DT_DEFAULT
        origin = "given" if asked.dt is not None else "chosen (the file has steps, not seconds)"
        return Source(given, integers_to_nir(network, dt), dt, origin, None, None, False, digest, network=network)
