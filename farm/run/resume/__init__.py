"""To go on with a run that another process began."""
