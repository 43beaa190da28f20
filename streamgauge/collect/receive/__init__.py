"""Receives pushed samples: remote write and JSON."""
