"""Streamgauge: a monitoring system that computes on the stream."""

__version__ = "0.1.0"
