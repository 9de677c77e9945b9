"""From Kafka to the other system: the ledger, the merge, observe, settle, and what people do with them."""
