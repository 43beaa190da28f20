"""Cassandra: the schema, what the jobs write, and what readers find."""
