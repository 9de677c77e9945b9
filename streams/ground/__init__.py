"""What both halves stand on: how PostgreSQL and Kafka are reached, and how tasks are held together."""
