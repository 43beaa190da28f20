"""Writers to Kafka and Cassandra that run inside Flink."""
