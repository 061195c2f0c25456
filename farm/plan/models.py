"""Models from disk; every mistake is found before a device is touched."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm import resources
from farm.dumps.fastrun_cache import parse_cache
from farm.dumps.malformed import MalformedError
from farm.errors import RequestError
from farm.files import is_file, path_name, user_path
from farm.model.artifact import Artifact
from farm.model.matrix import Model
from farm.model.options import Variant
from farm.model.request import ModelRequest
from farm.options import input_files
from farm.plan.content.model_file import HEAD_BYTES, sniff
from farm.plan.inputs import read_input
from farm.store.artifacts import artifact_of
from farm.suggest import nearest

FAST_RUN_CACHE = "fast-run-algo-policy"


@dataclass(frozen=True)
class Bundled:
    """A model that comes with farm, and the `--input` it is used with unless one is given."""

    file: Path
    input: str


def bundled_models() -> Mapping[str, Bundled]:
    """The models in farm/bundled, each with the input file next to it (see scripts/make_models.py)."""
    folder = resources.folder("bundled")
    listing = json.loads((folder / "models.json").read_text("utf-8"))
    return {
        name: Bundled(folder / entry["file"], ";".join(_beside(folder, part) for part in entry["input"]))
        for name, entry in listing.items()
    }


def _beside(folder: Path, part: str) -> str:
    tensor, _, file = part.partition(":")
    return f"{tensor}:{folder / file}"


def read_models(requests: Sequence[ModelRequest]) -> tuple[Model, ...]:
    """The models with their inputs. Raises RequestError, with the suite's line for a model of a suite."""
    return _unique(tuple(_read_with_source(request) for request in requests))


def _read_with_source(request: ModelRequest) -> Model:
    try:
        return read_model(request)
    except RequestError as error:
        if request.source is None:
            raise
        message = f"model {request.name}: {error}"
        raise RequestError(message, hint=error.hint, source=request.source) from error


def read_model(request: ModelRequest) -> Model:
    """One model with its inputs.

    Raises RequestError for a missing or empty file, and for one that is not a MegEngine model.
    """
    path, input_text = _origin(request)
    artifact = artifact_of(path)
    with path.open("rb") as stream:
        found = sniff(stream.read(HEAD_BYTES))
    if found is None:
        raise RequestError(
            f"{path} is not a MegEngine model (unknown format)",
            hint="dump a model with megengine.jit.trace(...).dump(), or try --model bundled:tiny",
        )
    spec, notes = read_input(input_text)
    name = path_name(request.name or unicodedata.normalize("NFC", path.stem))
    return Model(name, artifact, spec, found.kind, notes)


def _origin(request: ModelRequest) -> tuple[Path, str]:
    """The file and the `--input` that goes with it."""
    if request.file is not None:
        return request.file, request.input or ""
    known = bundled_models()
    name = request.bundled or ""
    if name not in known:
        raise RequestError(
            f"unknown bundled model {name!r}",
            hint=f"use one of: {', '.join(known)}{nearest(name, known)}",
        )
    return known[name].file, known[name].input if request.input is None else request.input


def _unique(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Models of equal name get their digest's first letters; the same file twice is refused."""
    seen: dict[tuple[str, str], Artifact] = {}
    for model in models:
        key = (model.artifact.sha256, model.inputs.text)
        if key in seen:
            raise RequestError(
                f"the same model and input twice: {seen[key].path} and {model.artifact.path}",
                hint="remove one",
            )
        seen[key] = model.artifact
    names = [model.name for model in models]
    return tuple(
        replace(model, name=f"{model.name}-{model.artifact.sha256[:6]}")
        if names.count(model.name) > 1
        else model
        for model in models
    )


def option_files(variants: Sequence[Variant]) -> dict[str, tuple[tuple[str, Artifact], ...]]:
    """By variant, the local files that its options read. Raises RequestError for one that is missing."""
    found: dict[str, tuple[tuple[str, Artifact], ...]] = {}
    for variant in variants:
        reads = input_files(variant.options, lambda path: is_file(user_path(path)))
        found[variant.name] = tuple((name, _option_file(name, user_path(path))) for name, path in reads)
    return found


def _option_file(option: str, path: Path) -> Artifact:
    if option != FAST_RUN_CACHE:
        return artifact_of(path)
    if not is_file(path):
        raise RequestError(
            f"--{option}: no such file: {path}",
            hint="to make it, add --fast-run or --full-run; to use one, check its path",
        )
    artifact = artifact_of(path)
    try:
        parse_cache(path.read_bytes())
    except (MalformedError, OSError) as error:
        raise RequestError(
            f"--{option}: {path} is not a fast-run cache: {error}",
            hint="remove it and search again with --fast-run",
        ) from error
    return artifact
