"""Receives samples (remote write, JSON, scrapes) and produces them to `metrics.raw` as batches."""
