"""The result cache in Redis; it never returns outdated results."""
