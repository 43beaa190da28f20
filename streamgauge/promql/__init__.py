"""PromQL: parse and evaluate, without any I/O."""
