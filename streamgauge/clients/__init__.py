"""Clients of other servers: Kafka, Redis, Flink's REST API, HTTP and TLS."""
