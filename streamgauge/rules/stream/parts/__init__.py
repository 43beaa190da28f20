"""What shards tell of a group at a tick, packed."""
