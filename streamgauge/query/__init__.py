"""`streamgauge query`: asks a gateway, or any Prometheus, and shows the answer in the terminal."""
