"""SANA-FE (Boyle et al. 2025), an architecture simulator with a calibrated model of Loihi.

Its Loihi neuron keeps the membrane in 64ths and truncates it toward zero after the decay, so that in units of a
threshold mantissa it holds this project's integers exactly, as far as 24 bits go: see `register_limits`.
"""
