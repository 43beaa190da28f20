"""Wire formats of responses."""
