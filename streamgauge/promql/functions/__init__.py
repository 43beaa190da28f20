"""Functions, operators and aggregations: vectors in, vectors out."""
