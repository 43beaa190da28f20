"""The rules that a running system has been given."""
