"""What OpenSSH's own client is configured to do."""
