"""One file a framework: a table from its neuron classes to NIR nodes."""
