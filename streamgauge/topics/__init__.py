"""Readers and writers of the topics of rules, alerts and notifications, outside of Flink."""
