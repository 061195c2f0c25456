"""Live pages: devices now, runs as they grow, finished reports."""
