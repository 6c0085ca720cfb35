"""Networks that others have measured on Loihi, rebuilt from what they published: a file each.

layers.py        integrate-and-fire layers as a ChipNetwork
nxtf_mnist.py    Intel's converted MNIST network (NxTF)
quartz_mnist.py  a MNIST network in time-to-first-spike code (Quartz)
lsnn_smnist.py   Intel's recurrent network for sequential MNIST
dvs_gesture.py   the DVS gesture network that SANA-FE was held against
slayer.py        Intel's spoken digits and a tactile network, trained with SLAYER
s4d_cifar.py     a state-space layer on Loihi 2
keyword.py       ABR's keyword spotter and its larger copies

PilotNet is in benchmarks/pilotnet.py. Each gives an `Events` (dalif_deploy.hw_models.energy.silicon), or a range of it.
"""
