"""Answers as they go over the wire."""
