"""Networks in PyTorch, of any framework, captured by running them: a module and an example become a NIR graph."""
