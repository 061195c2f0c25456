"""Parquet, for DuckDB, pandas and Polars: the table of CSV, with all times of each round as lists."""

from __future__ import annotations

import io
from typing import Any

from farm.errors import RequestError
from farm.export.table import COLUMNS, records
from farm.model.run import Results


def parquet(results: Results) -> bytes:
    """Raises RequestError where pyarrow is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RequestError(
            "the format parquet needs pyarrow, which is not installed",
            hint="pip install 'megengine-farm[export]'",
        ) from error
    types: dict[str, Any] = {
        "text": pa.string(),
        "number": pa.float64(),
        "whole": pa.int64(),
        "flag": pa.bool_(),
        "numbers": pa.list_(pa.float64()),
    }
    found = list(records(results))
    arrays = [
        pa.array([column.value(record) for record in found], type=types[column.kind]) for column in COLUMNS
    ]
    table = pa.Table.from_arrays(arrays, names=[column.name for column in COLUMNS])
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()
