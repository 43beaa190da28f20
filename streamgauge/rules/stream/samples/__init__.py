"""The samples that rules look back at, in memory."""
