"""A request: its parameters, who asks, what may run and be held at once, and how it is refused."""
