"""What rules ask of the stream: selectors, how far back, and expressions of one shape together."""
