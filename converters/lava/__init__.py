"""Runs a ChipNetwork in Lava's bit-accurate processes. Import nothing here: the worker must stay free of torch."""
