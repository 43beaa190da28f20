"""What of an expression each lane can evaluate by itself, what is read for it, and how the parts are put together."""
