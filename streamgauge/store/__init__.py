"""Writing and reading blocks, heads and the series index in Cassandra."""
