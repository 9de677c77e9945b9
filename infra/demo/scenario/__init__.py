"""What happens in the demo: who lives in both systems, and what people do to them."""
