"""Which runs stay: tags, rules, and what removes the others."""
