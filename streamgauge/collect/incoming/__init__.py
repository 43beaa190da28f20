"""Samples on their way in: limits, ages, refusals and the rows that batches are made of."""
