"""Energy of one inference: exact counts of events, times constants that carry unit, scope, evidence and source.

counts.py            what happened: spikes, synaptic operations, neuron updates, host multiply-accumulates
constant_set.py      what each event costs, from constants/*.toml
models.py            counts times constants: Loihi, and arithmetic at 45 nm
gpu_roofline.py      the same spiking network on a GPU, modelled
gpu_measurement.py   the same, measured through NVML
report.py            all of it as one plain dict
"""
