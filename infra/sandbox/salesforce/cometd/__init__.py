"""The Streaming API: CometD clients and the endpoint that they poll."""
