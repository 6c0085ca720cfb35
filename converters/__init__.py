"""Formats in and out; the hub between them is the NIR graph."""
