"""One network with many settings: accuracy, energy, latency and cores of each, side by side.

grid.py        KEY=V1,V2 words as points
sweep_source.py what is exported again for each point
point.py       one point: export, simulate, count, map, model
workers.py     tasks in processes of their own
front.py       which points no other one beats
explore.py     all of it: explore
"""
