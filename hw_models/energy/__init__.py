"""Energy of one inference: exact counts of events, times constants that carry unit, scope, evidence and source.

counts.py            what happened: spikes, synaptic operations, neuron updates, host multiply-accumulates
constant_set.py      what each event costs, from constants/*.toml
memory.py            what the cores read and write
models.py            counts times constants: Loihi
loihi_sanafe.py      the same by the terms of SANA-FE
latency.py           how long a sample takes
arithmetic.py        counts times constants: bare arithmetic at 45 nm, beside networks without spikes
break_even.py        the firing rate at which the spiking network stops winning
gpu_roofline.py      the same spiking network on a GPU, modelled
measurement.py       the same, measured by a device's own counter:
gpu_measurement.py   a GPU through NVML
cpu_measurement.py   this machine's processor through RAPL
histograms.py        membranes, thresholds, energy of the samples
report.py            all of it as one plain dict
"""
