"""Blocks: what the rows of samples and of rollups hold, and the kernels that pack and unpack it."""
