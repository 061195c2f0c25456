"""The artifact storage that all machines of a fleet share: a folder, or a bucket of S3."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from farm.errors import RequestError
from farm.fleet.shelf.base import LostError, Shelf, ShelfError, patiently
from farm.fleet.shelf.folder import EXAMPLE, FolderShelf

__all__ = ["EXAMPLE", "LostError", "Shelf", "ShelfError", "patiently", "shelf_of"]


def shelf_of(url: str) -> Shelf:
    """Raises RequestError for what is neither a folder's URL nor a bucket's."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
            raise RequestError(
                "--artifacts: s3://BUCKET/FOLDER is all that this may be", hint="keys are in the environment"
            )
        from farm.fleet.shelf.bucket import BucketShelf

        return BucketShelf(url)
    if parts.scheme in {"gs", "az", "http", "https"}:
        raise RequestError(
            f"--artifacts: {parts.scheme}:// is not there in this version of farm", hint=EXAMPLE
        )
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        raise RequestError(f"--artifacts: {parts.scheme or parts.netloc} is no folder", hint=EXAMPLE)
    path = unquote(parts.path) if parts.scheme else url
    if not path:
        raise RequestError("--artifacts is empty", hint=EXAMPLE)
    return FolderShelf(Path(path).absolute())
