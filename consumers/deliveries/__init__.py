"""Deliveries for those without Kafka: named subscriptions with a cursor each, as signed webhooks and as server-sent events."""
