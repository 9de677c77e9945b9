"""What Marketo and Adobe tell by themselves: webhooks and the data stream, checked, and turned into hints where to look."""
