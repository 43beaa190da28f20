"""What clients push: remote write and JSON."""
