"""The state machines of the alert job, without Flink: time and samples of a shard, ticks and messages of a group."""
