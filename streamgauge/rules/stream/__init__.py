"""Rules on the stream: each shard evaluates its part of a tick, a group's parts are merged at one place. Pure."""
