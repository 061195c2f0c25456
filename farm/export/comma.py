"""CSV by RFC 4180, for spreadsheets, pandas and Apache Otava."""

from __future__ import annotations

import csv
import io

from farm.export.table import COLUMNS, Value, records
from farm.model.run import Results

FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""A text that begins so is a formula to spreadsheets, the last four (full width) in some languages. Source:
OWASP, "CSV Injection".
"""


def comma_separated(results: Results) -> str:
    """A row for each round, with the cell's columns repeated; a cell without rounds has one row."""
    columns = [column for column in COLUMNS if column.kind != "numbers"]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.name for column in columns])
    for record in records(results):
        writer.writerow([_cell(column.value(record)) for column in columns])
    return text.getvalue()


def _cell(value: Value) -> Value:
    """A text that would be a formula gets a quote before it, as spreadsheets write a text themselves."""
    if isinstance(value, str) and value.lstrip().startswith(FORMULA):
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else value
