"""A group's answers, from the parts of all shards."""
