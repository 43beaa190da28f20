"""The operators of the jobs that evaluate rules, in PromQL and in SQL."""
