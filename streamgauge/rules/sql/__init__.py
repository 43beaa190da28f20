"""Rules in SQL: a file is one SELECT over samples, with a header in its comments."""
