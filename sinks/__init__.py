"""What leaves Flink: to Kafka and Cassandra."""
