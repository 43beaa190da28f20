"""The part of every group that a shard evaluates."""
