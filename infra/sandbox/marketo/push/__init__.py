"""What the instance calls by itself: webhooks and flow-step services from trigger campaigns, and data streams."""
