"""What the controller keeps between runs: pushed files, products, ceilings, flags of programs."""
