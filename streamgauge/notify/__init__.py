"""The bridge that sends changes of alerts to Alertmanagers."""
