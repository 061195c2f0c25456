"""Check rounds in a plan: their inputs, the golden files, the tolerances."""
