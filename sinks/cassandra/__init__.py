"""Writers to Cassandra: blocks, head, index, rollups and rebuild marks."""
