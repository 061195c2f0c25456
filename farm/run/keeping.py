"""Keeps what a run pushes, before it is pushed, so that another run can be compared with these bytes.

What cannot be kept is a note, and the run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

from farm.model.artifact import Artifact
from farm.model.device import Runtime, RuntimeKind
from farm.model.matrix import Cell, Model
from farm.plan.layout import Files, content_digest, input_digest
from farm.plan.matrix import needed_artifacts
from farm.store.cache.kept import ChangedError, KeptStore, Space
from farm.store.cache.products import Product
from farm.store.manifest import (
    MANIFEST,
    MANIFEST_VERSION,
    Begin,
    KeptCell,
    KeptFile,
    KeptModel,
    KeptProduct,
    KeptRuntime,
    Line,
    append,
)
from farm.store.runs import RunDirectory

Note = Callable[[str], None]


class Keeper:
    """One per run, for all its devices: what they have in common is kept once. `wheel` are the wheel's own
    libraries.
    """

    def __init__(self, store: KeptStore, directory: RunDirectory, wheel: Files = ()) -> None:
        self._store = store
        self._path = directory.path / MANIFEST
        self._run_id = directory.run_id
        self._wheel = wheel
        self._one_at_a_time = asyncio.Lock()
        self._said: set[Line] = set()
        self._done: set[str] = set()
        self._told: set[str] = set()

    async def keep(self, cells: Sequence[Cell], built: Mapping[Runtime, Files], note: Note) -> None:
        """Keep all that these cells need on their device; `built` are the user's files of their runtimes."""
        files = {one.sha256: one for one in needed_artifacts(cells)}
        files |= {one.sha256: one for some in built.values() for _, one in some}
        lines = [*map(_model, dict.fromkeys(cell.model for cell in cells))]
        runtimes = {runtime: self._runtime(runtime, some) for runtime, some in built.items()}
        named = [_cell(cell, runtimes[cell.device.runtime].id) for cell in cells]
        await self._keep([*lines, *runtimes.values(), *named], list(files.values()), note)

    async def keep_product(self, cell: Cell, product: Product, artifact: Artifact, note: Note) -> None:
        """Keep what a preparation wrote, or what was found of one in the cache."""
        line = KeptProduct(
            cell=cell.id,
            key=product.key,
            kind=product.kind,
            file=_file(artifact),
            seconds=product.seconds,
            run_id=product.run_id,
        )
        await self._keep([line], [artifact], note)

    async def _keep(self, lines: Sequence[Line], artifacts: Sequence[Artifact], note: Note) -> None:
        async with self._one_at_a_time:
            for why in await asyncio.to_thread(lambda: [*self._write(lines, artifacts)]):
                if why not in self._told:
                    self._told.add(why)
                    note(f"not kept for later comparisons: {why}")

    def _write(self, lines: Sequence[Line], artifacts: Sequence[Artifact]) -> Iterator[str]:
        """What could not be kept. The run refers to its files before they are there: nobody removes them."""
        new = [line for line in dict.fromkeys(lines) if line not in self._said]
        files = [one for one in artifacts if one.sha256 not in self._done]
        begin = [] if self._said else [Begin(version=MANIFEST_VERSION, run_id=self._run_id)]
        try:
            if new:
                append(self._path, [*begin, *new])
                self._said.update(new)
            if files:
                self._store.refer(self._path, [one.sha256 for one in files])
        except OSError as error:
            yield _why(error)
            return
        space = Space(self._store)
        for one in files:
            try:
                self._store.keep(one, space)
                self._done.add(one.sha256)
            except ChangedError as error:
                yield str(error)
            except OSError as error:
                yield _why(error)

    def _runtime(self, runtime: Runtime, files: Files) -> KeptRuntime:
        program = runtime.program if runtime.on_device else None
        words = (runtime.kind, runtime.version, runtime.python, program, content_digest(files)[:16])
        is_wheel = runtime.kind is RuntimeKind.WHEEL
        return KeptRuntime(
            id=" ".join(word for word in words if word),
            kind=runtime.kind,
            version=runtime.version,
            python=runtime.python,
            program=program,
            files=tuple((name, _file(one)) for name, one in files),
            wheel=tuple((name, one.sha256) for name, one in self._wheel) if is_wheel else (),
        )


def _file(artifact: Artifact) -> KeptFile:
    return KeptFile(artifact.name, artifact.sha256, artifact.size_bytes)


def _model(model: Model) -> KeptModel:
    return KeptModel(
        id=_model_id(model),
        name=model.name,
        kind=model.kind,
        file=_file(model.artifact),
        input_text=model.inputs.text,
        input_template=model.inputs.template,
        inputs=tuple((one.tensor, _file(one.artifact)) for one in model.inputs.files),
        notes=model.notes,
    )


def _model_id(model: Model) -> str:
    return f"{model.name} {model.artifact.sha256[:16]} {input_digest(model.inputs)[:16]}"


def _cell(cell: Cell, runtime: str) -> KeptCell:
    files = tuple((option, _file(one)) for option, one in cell.files)
    return KeptCell(cell=cell.id, model=_model_id(cell.model), runtime=runtime, files=files)


def _why(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"
