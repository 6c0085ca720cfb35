"""What a network did in one inference, in all, and what it would have cost by each set of terms.

Prices are those of `models.py` and `loihi_sanafe.py`; there the events come from a simulated network, here from one
that others ran on a chip and that was rebuilt from what they published.
"""

from __future__ import annotations

from ..constant_set import ConstantSet, load_constants
from ..figures import Amount, Count, Part


class Events(Part):
    """Events of one inference.

    Attributes:
        messages: at each core that one reaches, from the network's own neurons.
        messages_from_outside: the same, of the input.
        busiest_operations, busiest_neurons: of a step's busiest core, mean over the steps; None: cores not known.
    """

    steps: Count
    synaptic_operations_dense: Amount
    synaptic_operations_convolution: Amount
    updates_active: Amount
    updates_inactive: Amount
    spikes: Amount
    messages: Amount
    messages_from_outside: Amount
    hops_east_west: Amount
    hops_north_south: Amount
    busiest_operations: Amount | None
    busiest_neurons: Amount | None

    def joules(self, constants: str) -> dict[str, float]:
        """Modelled dynamic energy of an inference, by the constant that prices it.

        Args:
            constants: name of a set, of the kind of `models.loihi_terms` or of `loihi_sanafe.sanafe_terms`.
        """
        chosen = load_constants(constants)
        return {key: count * chosen[key].interval("joule").value for key, count in self._priced(chosen).items()}

    def _priced(self, constants: ConstantSet) -> dict[str, float]:
        hops = {"hop_east_west": self.hops_east_west, "hop_north_south": self.hops_north_south}
        if "synaptic_operation" in constants.constants:
            return {
                "synaptic_operation": self.synaptic_operations_dense + self.synaptic_operations_convolution,
                "neuron_update_active": self.updates_active,
                "neuron_update_inactive": self.updates_inactive,
                "spike_within_tile": self.messages + self.messages_from_outside,
                **hops,
            }
        return {
            "synaptic_operation_dense": self.synaptic_operations_dense,
            "synaptic_operation_conv": self.synaptic_operations_convolution,
            "neuron_access": self.updates_active + self.updates_inactive,
            "neuron_update": self.updates_active,
            "spike_out": self.spikes,
            "message_out": self.messages,
            **hops,
        }

    def step_seconds(self, constants: str) -> tuple[float, float] | None:
        """Modelled length of a step, shortest and longest; None where the cores are not known."""
        if self.busiest_operations is None or self.busiest_neurons is None:
            return None
        chosen = load_constants(constants)
        seconds = {key: chosen[f"time_{key}"].interval("second") for key in ("synaptic_operation", "barrier")}
        update = {key: chosen[f"time_update_{key}"].interval("second").value for key in ("active", "inactive")}
        work, barrier = self.busiest_operations * seconds["synaptic_operation"].value, seconds["barrier"]
        return (
            work + self.busiest_neurons * update["inactive"] + barrier.low,
            work + self.busiest_neurons * update["active"] + (barrier.high or barrier.value),
        )
