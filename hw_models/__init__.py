"""The hardware: chip descriptions, fixed-point numbers, compiler, bit-exact simulator, energy."""
