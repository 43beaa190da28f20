"""Queries over the store: cost estimates, evaluation and explanation."""
