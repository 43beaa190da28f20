"""Queries over the store: what they will cost, their evaluation, what was read for them."""
