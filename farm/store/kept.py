"""What was pushed, kept on the controller by digest: the bytes of a run are there when their folder is not."""

from __future__ import annotations

from pathlib import Path

from farm import resources


class KeptStore:
    """A folder: `<root>/<aa>/<sha256>`. Safe for concurrent farms."""

    def __init__(self, root: Path) -> None:
        self._root = root


def kept_store() -> KeptStore:
    """The store in the user's cache folder."""
    return KeptStore(resources.cache_folder() / "kept")
