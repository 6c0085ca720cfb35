"""One job over many shards (samples of a check, points of a sweep), each in a process of its own.

workers.py   processes of this command
cluster.py   processes of Dask: some here, or those that a scheduler has on any number of machines
"""
