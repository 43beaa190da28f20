"""The collector and its limits."""
