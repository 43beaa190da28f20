"""The secret of this process's hash tables. An argument of kernels: compiled ones are kept, and shared by processes."""

import secrets

import numpy as np

FACTOR = np.uint64(secrets.randbits(64) | 1)
"""Odd, as `hash_kernels.slot_of` needs it."""
