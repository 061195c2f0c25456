"""The artifact storage in a bucket of S3, or of what speaks like it.

obstore knows the protocol; keys, region and endpoint come from where AWS's own programs have them in the
environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, which may be http://.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from farm.errors import RequestError
from farm.fleet.shelf.base import LostError, Shelf, ShelfError

T = TypeVar("T")
NEEDS = "pip install 'megengine-farm[s3]'"
EXAMPLE = "s3://BUCKET/FOLDER, with AWS_ACCESS_KEY_ID and the others of AWS in the environment"
BLOCK_BYTES = 1 << 20
PART_BYTES = 8 << 20
"""S3 takes 10,000 parts: files of 80 GB."""
PARTS_AT_ONCE = 4
ONCE: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
"""Whoever has patience is `patiently`, which tells what is waited for."""
CLIENT: Any = {"connect_timeout": "10s", "timeout": "60s"}
NO_BUCKET = "NoSuchBucket"
MARK = "farm-artifacts"


class BucketShelf(Shelf):
    """See `Shelf`. `url` is s3://bucket/folder."""

    def __init__(self, url: str) -> None:
        try:
            import obstore
            from obstore import exceptions
            from obstore.store import S3Store
        except ImportError as error:
            raise RequestError("--artifacts: s3:// needs the extra `s3`", hint=NEEDS) from error
        self._url = url.rstrip("/")
        self._obstore = obstore
        self._errors = exceptions.BaseError
        options: Any = {**CLIENT, "allow_http": _endpoint().startswith("http://")}
        try:
            self._store = S3Store.from_url(self._url, retry_config=ONCE, client_options=options)
        except (exceptions.BaseError, ValueError) as error:
            raise RequestError(f"--artifacts: {_short(error)}", hint=EXAMPLE) from error

    @property
    def url(self) -> str:
        """See `Shelf`."""
        return self._url

    def make(self) -> None:
        """A bucket is made by who pays for it; this sees that it can be written."""
        self._asked(lambda: self._obstore.put(self._store, MARK, b"artifacts of farm, by their SHA-256\n"))

    def put(self, path: Path, sha256: str) -> None:
        """See `Shelf`."""
        try:
            if self._size_bytes(sha256) == path.stat().st_size:
                return
            with path.open("rb") as stream:
                # Read twice: a bucket must not have another file under this digest, not for a moment.
                found = hashlib.file_digest(stream, "sha256").hexdigest()
                stream.seek(0)
                if found != sha256 or self._sent(stream, sha256) != sha256:
                    raise LostError(f"{path} changed while it was read", hint="submit again")
        except OSError as error:
            raise self._error(error) from error

    def _sent(self, stream: BinaryIO, sha256: str) -> str:
        """The digest of what was sent; where it is another one, nothing of it is kept."""
        digest = hashlib.sha256()
        self._asked(
            lambda: self._obstore.put(
                self._store, _key(sha256), _blocks(stream, digest),
                chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE,
            )
        )  # fmt: skip
        if digest.hexdigest() != sha256:
            self._asked(lambda: self._obstore.delete(self._store, _key(sha256)))
        return digest.hexdigest()

    def put_bytes(self, data: bytes) -> str:
        """See `Shelf`."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._asked(lambda: self._obstore.put(self._store, _key(sha256), data))
        return sha256

    def _size_bytes(self, sha256: str) -> int | None:
        try:
            return int(self._asked(lambda: self._obstore.head(self._store, _key(sha256)), sha256)["size"])
        except LostError:
            return None

    def _copy(self, sha256: str, to: Path) -> str:
        digest = hashlib.sha256()
        found = self._asked(lambda: self._obstore.get(self._store, _key(sha256)), sha256)
        blocks = iter(found.stream(min_chunk_size=BLOCK_BYTES))
        with to.open("xb") as target:
            while (block := self._asked(lambda: next(blocks, None))) is not None:
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest()

    def _read(self, sha256: str, most_bytes: int) -> bytes:
        found = self._asked(lambda: self._obstore.get(self._store, _key(sha256)), sha256)
        if found.meta["size"] >= most_bytes:
            raise self._other(sha256)
        return bytes(self._asked(found.bytes))

    def _asked(self, work: Callable[[], T], sha256: str = "") -> T:
        """What the bucket is asked for. Raises LostError where it has no file of this digest, ShelfError."""
        try:
            return work()
        except (self._errors, FileNotFoundError, PermissionError) as error:
            if sha256 and isinstance(error, FileNotFoundError) and NO_BUCKET not in str(error):
                raise self._missing(sha256) from error
            text = f"the artifact storage {self.url} cannot be used: {_short(error)}"
            raise ShelfError(text, hint=EXAMPLE) from error

    def _error(self, error: OSError) -> ShelfError:
        """Of a file on this machine."""
        return ShelfError(f"{error.filename or 'a file'} cannot be used: {error.strerror or error}")


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def _blocks(stream: BinaryIO, digest: Any) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
        yield block


def _short(error: Exception) -> str:
    """The first line: the rest is the library's own view of it."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
