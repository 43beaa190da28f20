"""Every wire and table shape in one place, each with a version."""
