"""The applied rules of a running system."""
