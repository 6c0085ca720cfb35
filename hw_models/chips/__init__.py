"""Chips as data: one TOML file each, and the description that they are read into."""
