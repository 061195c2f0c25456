"""From a suite to what `make_plan` takes: models read, options merged, rules as a function."""

from __future__ import annotations

from dataclasses import dataclass

from farm.errors import RequestError
from farm.inventory.suite import unwanted
from farm.model.device import Device, Facts
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.model.suite import Suite, SuiteModel
from farm.options import merge
from farm.plan.models import BUNDLED, read_model, unique, with_base


@dataclass(frozen=True)
class SuiteRequest:
    """The rows and columns of a suite, and its rules."""

    suite: Suite
    models: tuple[Model, ...]
    variants: tuple[Variant, ...]

    def rule(self, device: Device, model: Model, variant: Variant, facts: Facts | None = None) -> str | None:
        """Why a cell is not wanted, or None. Asked again with `facts` once the device was probed."""
        return unwanted(self.suite, device, facts, model=model.name, variant=variant.name)


def suite_request(suite: Suite, base: OptionSet) -> SuiteRequest:
    """`base`, the options of the command line, count more than the suite's own, less than a variant's.

    Raises RequestError, with the line of the suite, for a model or input that cannot be read.
    """
    models = unique(tuple(_model(entry) for entry in suite.models))
    columns = [Variant(entry.name, entry.options) for entry in suite.variants]
    return SuiteRequest(suite, models, with_base(merge(suite.options, base), columns))


def _model(entry: SuiteModel) -> Model:
    text = str(entry.file) if entry.file else f"{BUNDLED}{entry.bundled}"
    try:
        return read_model(text, input_text=entry.input, name=entry.name)
    except RequestError as error:
        raise RequestError(f"model {entry.name}: {error}", hint=error.hint, source=entry.source) from error
