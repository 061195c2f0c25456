"""The table of all cells: its columns, packed into the page."""
