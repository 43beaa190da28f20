"""Flink functions: they load state, call what computes, store state and yield."""
