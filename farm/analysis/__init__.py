"""What rounds say together: steady state and summaries. Pure."""
