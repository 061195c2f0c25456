"""`farm sim`: labs of simulated devices."""
