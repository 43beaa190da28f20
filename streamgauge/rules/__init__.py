"""Rule files, their templates, the state machine of alerts and unit tests of rules: pure, without clock or network."""
