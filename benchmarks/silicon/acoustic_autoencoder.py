"""An autoencoder for the sounds of machines on Loihi 2 (Nesbit et al. 2026), by the events that its authors state.

The source gives what the chip's own probes counted in an inference; weights and the number of steps are not published.
Its 300,000 synaptic operations are 3.5 passes through the layers' 86,016 synapses, so one pass would be too few.
"""

from __future__ import annotations

from dalif_deploy.hw_models.energy.silicon import Events


def autoencoder_events() -> Events:
    """Events of an inference, as stated; the steps are not, so they count as one."""
    return Events(
        steps=1,
        synaptic_operations_dense=3.0e5,
        synaptic_operations_convolution=0,
        updates_active=1.0e4,
        updates_inactive=0,
        spikes=2.0e4,
        messages=2.0e4,
        messages_from_outside=0,
        hops_east_west=0,
        hops_north_south=0,
        busiest_operations=None,
        busiest_neurons=None,
    )
