"""What the chip is set beside: the same network without spikes, and the same spikes on other devices.

arithmetic.py        bare arithmetic at 45 nm: the spiking network, a ReLU network, a quantised one of equal information
equal_accuracy.py    a ReLU network that was trained to the same accuracy
break_even.py        the firing rate at which the spiking network stops winning
gpu_roofline.py      the same spiking network on a GPU, modelled
measurement.py       the same, measured by a device's own counter:
gpu_measurement.py   a GPU through NVML
cpu_measurement.py   this machine's processor through RAPL
elsewhere.py         a file of such measurements, made on another machine
baseline.py          all of them as parts of the report
"""
