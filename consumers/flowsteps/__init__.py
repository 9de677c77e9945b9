"""Flow steps: the service that Marketo's smart campaigns call (self-service flow steps), and the outcomes that it is called back with."""
