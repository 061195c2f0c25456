"""Sections that the results alone have: no file of the run is read for them."""

from __future__ import annotations

from farm.model.run import Results
from farm.report.parts.details.contexts import contexts
from farm.report.parts.details.distributions import distributions
from farm.report.parts.tensor_tables import tensors_of_run
from farm.report.parts.tensors import tensors_of_cells
from farm.report.sections import More, together


def own(results: Results) -> More:
    """Tensors, distributions and contexts of the cells, and the tensors of the run."""
    table = tensors_of_run(results)
    tensors = More(run={"tensors": table} if table else {}, cells=tensors_of_cells(results))
    return together(tensors, distributions(results), contexts(results))
