"""Networks of five frameworks, written as the frameworks' own tutorials and model zoos write them.

They are what exporting is tried on, so nothing in them is bent to what an exporter would like. `all_networks` has the
list; a network is a `ZooNetwork` of `entry`.
"""
