"""The topics of rules, alerts and notifications in Kafka, as readers and writers outside of Flink use them."""
