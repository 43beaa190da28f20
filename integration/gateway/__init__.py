"""Queries, the web UI, caches."""
