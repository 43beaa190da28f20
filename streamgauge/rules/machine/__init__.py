"""Rules as they run: compiled, evaluated at a tick, the states of their alerts, and how these are told."""
