"""A series: its labels, its id, its place in the cluster, and the order of its samples."""
