"""`streamgauge query`: queries a gateway or Prometheus and shows the result in the terminal."""
