"""From changes of alerts to the Alertmanagers that tell people."""
