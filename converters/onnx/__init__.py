"""ONNX models of a network: a float step, a float sequence, and the chip's integers."""
