"""The change stream by the Pub/Sub API: gRPC and Avro, put into the form of the Streaming API so that all behind it is the same."""
