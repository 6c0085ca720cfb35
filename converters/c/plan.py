"""What the C code of a network consists of: the form that the templates are filled in from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dalif_deploy.hw_models.arithmetic.lava.exactness import Bounds
from dalif_deploy.hw_models.chip_network.form import ChipNetwork, OutputMode

from .kernels import Kernel
from .registers import Register
from .space import Space
from .synapses import Synapses


@dataclass(frozen=True)
class Source:
    """What sends: an input or a layer.

    Attributes:
        id: identifier.
        name: in the network.
        slots: steps of which the events are kept, this one included.
        level_type: C type of graded messages, an input's levels or how often a neuron fires in a step; None for spikes.
        lowest, highest: message.
        stands: True if sums over it are kept until it changes.
    """

    id: str
    name: str
    space: Space
    slots: int
    level_type: str | None = None
    lowest: int = 0
    highest: int = 1
    stands: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """A projection and the way it is summed.

    Attributes:
        factor: what each weight is multiplied by beside the layer's unit.
        wraps24: True if its sum may leave 24 bits and is wrapped by itself.
    """

    synapses: Synapses
    source: Source
    target: Space
    target_name: str
    kernel: Kernel
    factor: int
    wraps24: bool


@dataclass(frozen=True, eq=False)
class Layer:
    """A population.

    Attributes:
        wraps: True if the synaptic current may leave its register.
        sum_type: C type of a sum over synapses, in units of `unit`.
        bias: None where it comes from outside, a neuron.
        clips: True if the membrane can reach the ends of its register.
        fires: False if no neuron of it can ever spike.
        counted: True if an output is made of the number of its spikes.
        scale: integer units a unit of the source graph's membrane, for people.
        lowest: the bound of the membrane; None without one.
        start: the membrane before a sample; None for 0.
        refractory: steps after a spike in which the membrane stays at 0.
    """

    id: str
    name: str
    space: Space
    source: Source
    parts: list[Part]
    wraps: bool
    sum_type: str
    unit: int
    current_keep: Register | None
    membrane_keep: Register | None
    threshold: Register
    bias: Register | None
    subtracts: bool
    clips: bool
    fires: bool
    counted: bool
    scale: str
    fast: bool
    bounds: Bounds
    lowest: Register | None
    start: Register | None
    refractory: int

    @property
    def fires_several(self) -> bool:
        """True if a neuron of it may fire several times a step, and its messages say how often."""
        return self.fires and self.source.level_type is not None

    @property
    def own_registers(self) -> list[Register]:
        """Those that it has beside the threshold."""
        found = (self.current_keep, self.membrane_keep, self.bias, self.lowest, self.start)
        return [each for each in found if each is not None]

    @property
    def standing(self) -> list[Part]:
        """Parts whose sum is kept while the input stays."""
        return [] if self.wraps else [p for p in self.parts if p.source.stands]

    @property
    def standing_inputs(self) -> list[Source]:
        """What they come from."""
        return list({part.source.id: part.source for part in self.standing}.values())

    @property
    def moving(self) -> list[Part]:
        """Parts that are summed at each step."""
        return [p for p in self.parts if p not in self.standing]

    @property
    def only_standing(self) -> bool:
        """True if nothing moves."""
        return bool(self.standing) and not self.moving


@dataclass(frozen=True, eq=False)
class Output:
    """What is read of a layer, see `ChipOutput`.

    Attributes:
        mode: "count", "membrane", or "membrane_before_reset" of a layer that fires.
        kept: "sum" or "max" over the steps of a sample, or the "last" of them.
        ctype: C type of its values.
    """

    id: str
    name: str
    layer: Layer
    mode: OutputMode
    kept: Literal["sum", "max", "last"]
    ctype: str

    @property
    def gathers(self) -> bool:
        """True if each step adds to an array of its own; otherwise the layer's state holds all that is read."""
        return self.mode != "count" and (self.mode, self.kept) != ("membrane", "last")


@dataclass(frozen=True, eq=False)
class Plan:
    """The whole network, layers in the order in which they are stepped."""

    network: ChipNetwork
    steps: int
    fast: bool
    address_type: str
    inputs: list[Source]
    layers: list[Layer]
    outputs: list[Output]

    @property
    def kernels(self) -> list[Kernel]:
        """Each once."""
        return sorted({part.kernel for part in self.parts}, key=lambda each: each.name)

    @property
    def parts(self) -> list[Part]:
        """Of all layers."""
        return [part for layer in self.layers for part in layer.parts]

    def gathered(self, layer: Layer) -> list[Output]:
        """Outputs that the steps of a layer add to."""
        return [output for output in self.outputs if output.layer is layer and output.gathers]

    @property
    def registers(self) -> list[Register]:
        """Of all layers, those that act."""
        found = []
        for layer in self.layers:
            found += layer.own_registers
            found += [layer.threshold] if layer.fires else []
        return [r for r in found if not (r.shared and r.always_zero)]
