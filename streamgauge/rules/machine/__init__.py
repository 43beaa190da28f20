"""Running rules: compilation, evaluation at a tick, the states of alerts, and their messages."""
