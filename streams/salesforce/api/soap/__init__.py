"""What REST doesn't do, by SOAP: merge, convert."""
