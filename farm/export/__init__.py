"""A run for other tools: CI systems, benchmark tools, trace viewers, Prometheus, spreadsheets. Pure."""
