"""A small network of each framework for Fashion-MNIST, and its training loop, as the framework's tutorial has it."""
