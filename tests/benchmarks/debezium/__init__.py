"""The peer that observe is measured beside: Debezium's JDBC sink in Kafka Connect, from jars with locked hashes."""
