"""The old side of a comparison with another run: its cells with the bytes that were kept of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from farm.errors import RequestError
from farm.files import is_tree_name
from farm.model.artifact import Artifact
from farm.model.build import BASELINE, INVENTORY_BUILD
from farm.model.device import Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, InputFile, InputSpec, Model
from farm.model.options import Variant
from farm.model.run import CellResult, Results
from farm.options import from_mapping, preparations
from farm.plan.layout import PRELOADED
from farm.plan.matrix import rounds_of
from farm.runtime.wheel import WHEEL
from farm.store.cache.kept import KeptStore
from farm.store.cache.products import Product, ProductStore
from farm.store.manifest import (
    MANIFEST,
    KeptCell,
    KeptFile,
    KeptModel,
    KeptProduct,
    KeptRuntime,
    Manifest,
    read_manifest,
)
from farm.store.runs import RunDirectory

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Gone:
    """A cell of another run that cannot be run again, and why: `cell` is the id that it had there."""

    cell: str
    reason: str


class _GoneError(Exception):
    """The message says what cannot be had any more."""


def baseline_cells(
    run: RunDirectory, results: Results, devices: Sequence[Device], kept: KeptStore
) -> tuple[Cell | Gone, ...]:
    """One for each cell of `results`, in their order: the cell with the build `baseline` and the bytes that
    it had in that `run`, for the device of its name among `devices`, or the reason why it cannot be had.

    Cells of the build `inventory` become `...@baseline`, those of another build `...@baseline-<build>`, so
    that ids are unique. Rounds are those of the options, as many timed ones as that run had; inputs were
    fitted then. farm's own files are those of today, on both sides. Reads files (and hashes what is
    kept): not for the event loop. Never raises for what is damaged or missing: that is a reason.
    """
    try:
        manifest = read_manifest(run.path / MANIFEST)
    except RequestError as error:
        return tuple(Gone(cell.id, error.message) for cell in results.cells)
    old = _Old(manifest, {device.name: device for device in devices}, kept, results.rounds)
    return tuple(old.cell(cell) for cell in results.cells)


def restore_products(run: RunDirectory, kept: KeptStore, products: ProductStore) -> None:
    """Put kept products of preparations back into their cache where it lost them, so that a baseline is
    measured with the algorithms that were found then. What cannot be put back is searched for once more.
    """
    with contextlib.suppress(RequestError, OSError):
        lines = read_manifest(run.path / MANIFEST).products.values()
        for line in (one for some in lines for one in some if _DIGEST.fullmatch(one.key)):
            path = None if products.find(line.key) else kept.find(line.file.sha256)
            if path is not None:
                products.keep(_product(line), path)


def _product(line: KeptProduct) -> Product:
    name, sha256, size_bytes = line.file.name, line.file.sha256, line.file.size_bytes
    return Product(line.key, line.kind, name, sha256, size_bytes, line.seconds, line.run_id)


@dataclass
class _Old:
    """What is left of a run. Files are looked for once."""

    manifest: Manifest
    devices: dict[str, Device]
    kept: KeptStore
    rounds: int
    found: dict[str, Path | None] = field(default_factory=dict)

    def cell(self, was: CellResult) -> Cell | Gone:
        try:
            return self._cell(was)
        except _GoneError as why:
            return Gone(was.id, str(why))
        except RequestError as error:
            return Gone(was.id, f"its options are not known any more: {error.message}")

    def _cell(self, was: CellResult) -> Cell:
        device = self.devices.get(was.device)
        if device is None:
            raise _GoneError(f"the inventory has no device {was.device}, or it is not selected")
        kept = self.manifest.cells.get(was.id)
        if kept is None:
            raise _GoneError("nothing of it was kept: it was not deployed, or by a farm that kept nothing")
        model, runtime = self.manifest.models.get(kept.model), self.manifest.runtimes.get(kept.runtime)
        if model is None or runtime is None:
            raise _GoneError(f"{MANIFEST} of its run is damaged")
        options = from_mapping(was.options)
        before, rest = preparations(options)
        return Cell(
            device=replace(device, runtime=self._runtime(runtime)),
            model=self._model(model),
            variant=Variant(was.variant, options),
            rounds=rounds_of(rest, self.rounds),
            preparations=before,
            files=self._files(kept),
            notes=model.notes,
            build=BASELINE if was.build == INVENTORY_BUILD.name else f"{BASELINE}-{was.build}",
        )

    def _model(self, kept: KeptModel) -> Model:
        files = tuple(InputFile(tensor, self._artifact(one, "input")) for tensor, one in kept.inputs)
        spec = InputSpec(kept.input_text, kept.input_template, files)
        return Model(kept.name, self._artifact(kept.file, "model"), spec, kept.kind, kept.notes)

    def _files(self, kept: KeptCell) -> tuple[tuple[str, Artifact], ...]:
        return tuple((option, self._artifact(one, f"file of --{option}")) for option, one in kept.files)

    def _runtime(self, kept: KeptRuntime) -> Runtime:
        """The same files under the same names: all but the program are laid over it."""
        if kept.program is not None:
            raise _GoneError(f"its program was on the device ({kept.program}), where farm keeps nothing")
        if kept.kind is RuntimeKind.WHEEL and kept.version != WHEEL.version:
            raise _GoneError(f"this farm has no wheel runtime {kept.version}")
        files = {
            name: str(self._artifact(one, "preload" if name.startswith(PRELOADED) else name).path)
            for name, one in kept.files
        }
        program = files.pop("load_and_run", None)
        is_whole = kept.kind is RuntimeKind.WHEEL or program is not None
        if not is_whole or not all(map(is_tree_name, files)):
            raise _GoneError(f"{MANIFEST} of its run is damaged")
        return Runtime(
            kind=kept.kind,
            program=program,
            version=kept.version,
            python=kept.python,
            overlay=tuple(one for one in files.items() if not one[0].startswith(PRELOADED)),
            preload=tuple(path for name, path in files.items() if name.startswith(PRELOADED)),
        )

    def _artifact(self, kept: KeptFile, role: str) -> Artifact:
        sha256 = kept.sha256
        if sha256 not in self.found:
            self.found[sha256] = self.kept.find(sha256)
        path = self.found[sha256]
        if path is None:
            raise _GoneError(f"{role} {kept.name} (sha256 {sha256[:12]}...) is not kept any more")
        return Artifact(kept.name, sha256, kept.size_bytes, path)
