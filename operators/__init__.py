"""Flink functions: load state, call a pure step, store state and emit."""
