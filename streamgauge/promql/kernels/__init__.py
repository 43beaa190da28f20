"""Compiled loops over samples and windows."""
