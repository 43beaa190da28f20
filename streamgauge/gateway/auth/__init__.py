"""Who asks, by which credentials, and which series they may see."""
