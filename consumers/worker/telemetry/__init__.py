"""What a worker tells of itself: metrics, logs, the broker's reports."""
