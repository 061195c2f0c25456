"""How many timed rounds each cell of a device gets: phases, repeats and the budget."""
