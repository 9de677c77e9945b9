"""An identity provider (OpenID Connect 1.0, authorization code with PKCE) to sign in by, as an organisation has one; in memory."""
