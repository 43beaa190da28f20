"""Runs rules over stored samples, a whole stretch of ticks at a time."""
