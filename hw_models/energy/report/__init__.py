"""The report of dalif-energy: typed parts, whose JSON Schema is published, put together from counts and prices.

build.py         all of it: energy_report
report.py        the report's own shape, its schema, its short view
counts.py        exact counts, a layer and in all
mapping.py       cores, chips, use of limits, traffic
histograms.py    membranes, thresholds, energy of the samples
expected.py      the models against published chips, and the range that follows
energy_delay.py  energy with the idle chip in it, times time
comparisons.py   other devices over the chip, and the constants behind all figures
"""

from .build import energy_report
from .report import EnergyReport, report_schema

__all__ = ["EnergyReport", "energy_report", "report_schema"]
