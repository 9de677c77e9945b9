"""Out of the systems, onto Kafka: change events, the relay, and the two systems as sources."""
