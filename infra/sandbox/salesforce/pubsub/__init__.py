"""Pub/Sub API: the event bus over gRPC and Avro (Pub/Sub API guide)."""
