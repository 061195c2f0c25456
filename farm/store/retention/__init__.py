"""Which runs stay: rules, and what removes the others."""
