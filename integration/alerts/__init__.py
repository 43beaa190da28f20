"""Rules on the stream, alerts, and their delivery."""
