"""A network from its creation to its times, with every flag applied; `--fitting` runs many."""
