"""The endpoints of Prometheus's HTTP API, and those beyond it."""
