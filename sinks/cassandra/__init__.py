"""What leaves Flink for Cassandra: blocks, head, index, rollups and the marks of what is to be built again."""
