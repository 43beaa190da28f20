"""Batches: the messages of samples, and the records of which of them were acknowledged and stored."""
