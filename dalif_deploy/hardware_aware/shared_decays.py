"""Temporal decays that neurons share, because a core of the chip has profiles for a few only.

Neurons with the same beta are a group. Where a layer has more groups than a core has profiles, the nearest betas are
put together; after each step of training a group's members are brought back to their mean, as one parameter would be.
Groups are read off the values themselves, so that a resumed training has those that it had.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from dalif_deploy.networks.spiking_network import SpikingNetwork
from dalif_deploy.neuron import DALIF

ROUNDS = 30  # of k-means


@dataclass
class SharedDecays:
    """Groups of one layer.

    Attributes:
        values: what is trained, or the fixed betas.
        group: of each entry of `values`, flat.
        count: number of groups.
    """

    values: torch.Tensor
    group: torch.Tensor
    count: int

    @torch.no_grad()
    def bring_together(self) -> None:
        """Each group's members take their mean, computed in float64."""
        flat = self.values.detach().reshape(-1).double()
        total = torch.zeros(self.count, dtype=torch.float64, device=flat.device).index_add_(0, self.group, flat)
        size = torch.bincount(self.group, minlength=self.count)
        self.values.copy_((total / size)[self.group].reshape(self.values.shape))


def shared_decays(network: SpikingNetwork, most: int) -> list[SharedDecays]:
    """The groups of each layer whose neurons or channels have betas of their own, at most `most` a layer.

    A layer with more is changed so that it has as many.
    """
    found = [_shared(layer.neuron, most) for layer in network.spiking_layers.values()]
    return [each for each in found if each is not None]


@torch.no_grad()
def _shared(neuron: DALIF, most: int) -> SharedDecays | None:
    values = neuron.fixed_beta if neuron.tau_b is None else neuron.tau_b
    if values is None or values.ndim == 0:
        return None
    different, group = torch.unique(values.detach().reshape(-1), return_inverse=True)
    if len(different) <= most:
        return SharedDecays(values, group, len(different))
    beta = neuron.beta.reshape(-1).double().cpu().numpy()
    nearest = torch.from_numpy(_nearest(beta, most)).to(values.device)
    shared = SharedDecays(values, nearest, int(nearest.max()) + 1)
    shared.bring_together()
    return shared


def _nearest(values: np.ndarray, most: int) -> np.ndarray:
    """Group of each value, int64, by k-means from evenly spaced quantiles: nothing is drawn."""
    from scipy.cluster.vq import kmeans2

    centres = np.unique(np.quantile(values, (np.arange(most) + 0.5) / most))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of centres that nothing is nearest to
        _, group = kmeans2(values[:, None], centres[:, None], iter=ROUNDS, minit="matrix")
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
