"""Whole stacks, and every documented command line."""
