"""Energy of one inference: exact counts of events, times constants that carry unit, scope, evidence and source.

counts.py            what happened: spikes, synaptic operations, neuron updates, host multiply-accumulates
constant_set.py      what each event costs, from constants/*.toml
memory.py            what the cores read and write
models.py            counts times constants: Loihi
loihi_sanafe.py      the same by the terms of SANA-FE
latency.py           how long a sample takes
figures.py           what the parts of the report share
opponents/           what the chip is set beside
report/              all of it as one typed report
"""
