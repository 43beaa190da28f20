"""Runs rules over stored samples, a range of ticks at a time."""
