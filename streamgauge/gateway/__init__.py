"""Prometheus's HTTP API over the store."""
