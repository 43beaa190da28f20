"""Requests: parameters, users, limits of concurrency and memory, and errors."""
