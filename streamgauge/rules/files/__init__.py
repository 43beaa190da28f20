"""Reads and checks rule files; reports every error with its line."""
