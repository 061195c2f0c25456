"""`farm compare --confirm`: what two runs leave open is measured, old and new bytes in one lease."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from farm.cli.bench.bench import measure
from farm.cli.bench.finish import write_report
from farm.cli.bench.sampling import comparisons_of
from farm.cli.terminal.console import say
from farm.cli.terminal.progress import Bar
from farm.compare.runs import TwoRuns
from farm.inventory import read_devices
from farm.model.device import ALL_DEVICES
from farm.model.matrix import Sampling
from farm.model.request import DEFAULT_PAIRS
from farm.model.run import Results
from farm.plan.baseline import restore_products
from farm.plan.builds import may_run_wheel
from farm.run.context import Around
from farm.run.measure.baseline import Former
from farm.run.measure.confirm import Confirming, NothingError, plan_of_confirmation
from farm.runtime import install
from farm.store.cache.kept import kept_store
from farm.store.cache.products import product_store
from farm.store.runs import RunDirectory, new_run_id


@dataclass(frozen=True)
class Where:
    """Where the devices stand and where runs are kept."""

    inventory: Path | None
    runs_dir: Path


def confirmed(old: RunDirectory, new: RunDirectory, compared: TwoRuns, where: Where) -> Results | None:
    """A run that is made here, of what the comparison leaves open; None, with a note, where nothing is to be
    confirmed or nothing can be.
    """
    inventory, devices = read_devices(where.inventory, ALL_DEVICES)
    kept, products = kept_store(), product_store()
    runs = Former(old, old.results()), Former(new, new.results())
    how = Confirming(Sampling(DEFAULT_PAIRS), compared.comparing, secrets.randbelow(2**31))
    try:
        plan = plan_of_confirmation(*runs, compared, devices, kept, how)
    except NothingError as why:
        say(str(why))
        return None
    for one in runs:
        restore_products(one.directory, kept, products)
    for line in comparisons_of(plan):
        say(line)
    with Bar() as bar:
        runtime = install.ensure(bar.update) if may_run_wheel(plan) else None
    directory = RunDirectory.create(where.runs_dir, new_run_id())

    def finished(results: Results) -> bool:
        report = write_report(directory, results)
        if report is not None:
            say(f"report:  {report}")
        return report is not None

    return measure(plan, directory, Around(inventory, runtime), finished)[0]
