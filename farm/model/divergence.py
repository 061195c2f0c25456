"""What a tensor has to do with a difference between two runs of a model."""

from __future__ import annotations

from enum import StrEnum


class Divergence(StrEnum):
    """What a tensor that could be compared has to do with a difference beyond the tolerance."""

    AGREES = "agrees"
    INTRODUCED = "introduced"
    """It is beyond, and all that its operator read is not: the operator computes something else. Weights and
    inputs of the model are of this class, too: nothing was read for them.
    """
    INHERITED = "inherited"
    """It is beyond, and so is something that its operator read."""
    RECOVERED = "recovered"
    """It is not beyond, although something that its operator read is."""
