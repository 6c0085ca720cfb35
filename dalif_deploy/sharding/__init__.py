"""One job over many shards (samples of a check, points of a sweep), each in a process of its own.

workers.py    processes of this command
cluster.py    processes of Dask: some here, or those that a scheduler has on any number of machines
processes.py  how both start: forked from one that has imported what they need
preloaded.py  what that one imports
"""
