"""Signing in by an identity provider (OpenID Connect): people by their browser, programs by its tokens."""
