"""Training by backpropagation through time."""

from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.training_run import train

__all__ = ["TrainConfig", "train"]
