"""Networks that others have measured on Loihi, rebuilt from what they published: a file each.

layers.py        integrate-and-fire layers as a ChipNetwork
nxtf_mnist.py    Intel's converted MNIST network (NxTF)
quartz_mnist.py  a MNIST network in time-to-first-spike code (Quartz)
lsnn_smnist.py   Intel's recurrent network for sequential MNIST
dvs_gesture.py   the DVS gesture network that SANA-FE was held against
slayer.py        Intel's spoken digits and a tactile network, trained with SLAYER
s4d_cifar.py     a state-space layer on Loihi 2
lif_pair.py      two neurons on Loihi 2
acoustic_autoencoder.py  an autoencoder on Loihi 2, by the events that its authors state
keyword.py       ABR's keyword spotter and its larger copies

literature.toml lists measurements that were looked for and could not be rebuilt.
PilotNet is in benchmarks/pilotnet.py. Each gives an `Events` (dalif_deploy.hw_models.energy.silicon), or a range of it.
"""
