"""What kind of model a file is, from its first bytes, as load_and_run decides it (models/model.cpp)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

HEAD_BYTES = 16
"""How many bytes `sniff` reads."""


class ModelFormat(StrEnum):
    """Formats of model files."""

    V2 = "mgv2"
    V1 = "mgb v1"
    TESTCASE = "mgbtest0"
    PACKED = "packed_model"

    @property
    def kind(self) -> Literal["mdl", "lite", "testcase"]:
        """The kind of model that `farm.options.check` asks for."""
        if self is ModelFormat.TESTCASE:
            return "testcase"
        return "lite" if self is ModelFormat.PACKED else "mdl"


_V1_TAGS = (b"mgb0001", b"mgb0000a", b"MGBS", b"MGBC")


def sniff(head: bytes) -> ModelFormat | None:
    """The format of a model that starts with these bytes, None for anything else.

    load_and_run passes anything else to MegEngine Lite, which refuses it (`invalid model format`).
    """
    if len(head) < HEAD_BYTES:
        return None
    if head.startswith(b"mgbtest0"):
        return ModelFormat.TESTCASE
    if head.startswith(b"packed_model"):
        return ModelFormat.PACKED
    if head.startswith(_V1_TAGS):
        return ModelFormat.V1
    return ModelFormat.V2 if head[8:12] == b"mgv2" else None
