"""Who is looking: users, one-time links, sessions, tokens, roles; what a request must carry before it changes anything."""
