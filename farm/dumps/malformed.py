"""The error of everything that reads what a device sent back."""

from __future__ import annotations

from farm.errors import FarmError


class MalformedError(FarmError):
    """A file is not what its role says: cut, damaged, or made up."""
