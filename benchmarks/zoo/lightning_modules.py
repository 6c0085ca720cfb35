"""PyTorch Lightning: Norse's example `mnist_pl`, and many users' code, has network and training step in one module."""

from __future__ import annotations

import pytorch_lightning
import torch
import torch.nn.functional as F

from .entry import ZooNetwork, called_once
from .norse_examples import RecurrentSNN, decode
from .samples import spike_trains


class LitSNN(pytorch_lightning.LightningModule):
    """The notebook's recurrent network, its decoder and its training step."""

    def __init__(self, learning_rate: float = 2e-3):
        super().__init__()
        self.learning_rate = learning_rate
        self.rsnn = RecurrentSNN(784, 50, 10)

    def forward(self, x):
        return decode(self.rsnn(x))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.nll_loss(self(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.rsnn.parameters(), lr=self.learning_rate, weight_decay=1e-6)


NETWORKS = [
    ZooNetwork("norse-lightning", "Norse", "task mnist_pl", LitSNN,
               lambda: spike_trains(32).unflatten(-1, (1, 28, 28)), 32, called_once, "time_first"),
]  # fmt: skip
