"""What Marketo and Adobe call: webhooks and the data stream, received, checked, and passed on as hints to whoever reads the activities."""
