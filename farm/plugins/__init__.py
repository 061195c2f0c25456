"""What other packages add: formats, sections of reports, receivers of news.

`Section` and `Table` are what a section of a report is made of. docs/how-to/plugins.md has examples.
"""

from farm.plugins.nouns import Section, Table

__all__ = ["Section", "Table"]
