"""Blocks of samples and rollups, as they are read."""
