"""`--baseline`: the plan with an earlier run, read before any device is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from farm.model.matrix import Plan
from farm.model.request import Request

if TYPE_CHECKING:
    from farm.store.cache.products import ProductStore


def against(plan: Plan, request: Request, runs_dir: Path, products: ProductStore | None = None) -> Plan:
    """The plan with the duels that a request's baseline asks for; what that run's searches found is put back
    into the `products`, and what cannot be had of it is searched again. Raises RequestError where there is no
    such run, it cannot be read, or it has no cell in common with the plan.
    """
    if request.baseline is None:
        return plan
    from farm.plan.baseline import restore_products
    from farm.run.measure.baseline import Former, with_baseline  # what a plan alone does not need
    from farm.store.cache.kept import kept_store
    from farm.store.runs import find_run

    run, kept = find_run(runs_dir, request.baseline), kept_store()
    if products is not None:
        restore_products(run, kept, products)
    return with_baseline(plan, Former(run, run.results()), kept)
