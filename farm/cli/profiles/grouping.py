"""What a row of a table of profiles is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from farm.analysis.operators.views import as_layers, as_types
from farm.model.operators import Profile


class By(StrEnum):
    OPERATOR = "operator"
    TYPE = "type"
    LAYER = "layer"

    def of(self, profiles: Sequence[Profile], depth: int) -> list[Profile]:
        """The profiles with such rows as their operators."""
        match self:
            case By.OPERATOR:
                return list(profiles)
            case By.TYPE:
                return [as_types(one) for one in profiles]
            case By.LAYER:
                return [as_layers(one, depth) for one in profiles]
