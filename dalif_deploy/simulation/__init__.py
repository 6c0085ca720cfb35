"""Runs an exported network in one engine or another, and holds two engines against each other."""
