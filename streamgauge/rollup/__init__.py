"""What a window of samples is reduced to."""
