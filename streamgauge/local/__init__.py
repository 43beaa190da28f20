"""The local stack: real Kafka, Cassandra, Redis and Flink on one machine, without containers."""
