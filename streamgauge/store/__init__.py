"""Cassandra: schema, sessions and readers."""
