"""The servers of the local stack: their jars, their configuration, how they are started and when they are ready."""
