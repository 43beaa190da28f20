"""From the collector to blocks and rollups, whatever is killed on the way."""
