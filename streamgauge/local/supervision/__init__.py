"""Processes and jobs of the local stack, kept alive: what runs, what failed, and the logs."""
