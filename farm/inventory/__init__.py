"""Door of `inventory/`: the YAML files that people write, inventories and suites, as nouns."""
