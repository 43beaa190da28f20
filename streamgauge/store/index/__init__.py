"""The index of series, as it is read."""
