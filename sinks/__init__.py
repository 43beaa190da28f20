"""What leaves Flink for Kafka."""
