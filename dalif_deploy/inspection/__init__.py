"""What a network is, before anything is done with it: the facts behind dalif-inspect.

inspect_thing.py   the facts of a file or an exported folder
graph_facts.py     its nodes and edges
chip_facts.py      what each chip makes of it
drawing.py         where the boxes and arrows of a picture lie
"""

from .inspect_thing import inspect_thing

__all__ = ["inspect_thing"]
