"""The servers of the local stack: jars, configuration, start commands and readiness probes."""
