"""The commands; each file here is one of them."""
