"""Batches on their way to Kafka: packed, produced, acknowledged."""
