"""Parts of the details of one cell, by what they are of: its files, or what it was compared with."""
