"""From what the user typed to nouns: models, inputs and variants, every mistake found before a device."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm import resources
from farm.errors import RequestError
from farm.files import path_name
from farm.model.artifact import Artifact
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.options import input_files, merge
from farm.plan.inputs import read_input
from farm.plan.model_file import HEAD_BYTES, sniff
from farm.store.artifacts import artifact_of
from farm.suggest import nearest

BUNDLED = "bundled:"


@dataclass(frozen=True)
class Bundled:
    """A model that comes with farm, and the `--input` it is used with unless one is given."""

    name: str
    file: Path
    input: str


def bundled_models() -> tuple[Bundled, ...]:
    """The models in farm/bundled, each with the input that lies beside it (see scripts/make_models.py)."""
    folder = resources.folder("bundled")
    listing = json.loads((folder / "models.json").read_text("utf-8"))
    return tuple(
        Bundled(name, folder / entry["file"], ";".join(_beside(folder, part) for part in entry["input"]))
        for name, entry in listing.items()
    )


def _beside(folder: Path, part: str) -> str:
    tensor, _, file = part.partition(":")
    return f"{tensor}:{folder / file}"


def read_model(text: str, *, input_text: str | None = None, name: str | None = None) -> Model:
    """A model from a path or `bundled:NAME`, with its inputs.

    Raises RequestError for a missing or empty file, and for one that is no MegEngine model.
    """
    if text.startswith(BUNDLED):
        known = {entry.name: entry for entry in bundled_models()}
        entry = known.get(text.removeprefix(BUNDLED))
        if entry is None:
            raise RequestError(
                f"no bundled model {text.removeprefix(BUNDLED)!r}",
                hint=f"bundled models: {', '.join(known)}{nearest(text.removeprefix(BUNDLED), known)}",
            )
        path, default_input = entry.file, entry.input
    else:
        path, default_input = Path(text).expanduser(), ""
    artifact = artifact_of(path)
    with path.open("rb") as stream:
        found = sniff(stream.read(HEAD_BYTES))
    if found is None:
        raise RequestError(
            f"{path} is no MegEngine model (its first bytes fit no known format)",
            hint="dump one with megengine.jit.trace(...).dump(), or try --model bundled:tiny",
        )
    spec, notes = read_input(default_input if input_text is None else input_text)
    return Model(path_name(name or path.stem), artifact, spec, found.kind, notes)


def read_models(models: Sequence[str], inputs: Sequence[str]) -> tuple[Model, ...]:
    """All models; one `--input` serves every model, several serve one model each, in order.

    No models at all means the bundled ones. Raises RequestError, also when names collide.
    """
    texts = list(models) or [BUNDLED + entry.name for entry in bundled_models()]
    if len(inputs) > 1 and len(inputs) != len(texts):
        raise RequestError(
            f"{len(inputs)} inputs for {len(texts)} models",
            hint="give one --input for all models, or one for each --model in the same order",
        )
    chosen: list[str | None] = list(inputs) if len(inputs) > 1 else [next(iter(inputs), None)] * len(texts)
    return unique(tuple(read_model(text, input_text=spec) for text, spec in zip(texts, chosen, strict=True)))


def unique(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Models of equal name get their digest's first letters; the same file twice is refused."""
    seen: dict[tuple[str, str], Artifact] = {}
    for model in models:
        key = (model.artifact.sha256, model.inputs.text)
        if key in seen:
            raise RequestError(
                f"the same model and input twice: {seen[key].path} and {model.artifact.path}",
                hint="leave one out",
            )
        seen[key] = model.artifact
    names = [model.name for model in models]
    return tuple(
        replace(model, name=f"{model.name}-{model.artifact.sha256[:6]}")
        if names.count(model.name) > 1
        else model
        for model in models
    )


def with_base(base: OptionSet, variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Every variant on top of the options of the command line; `default` alone when there is none."""
    if not variants:
        return (Variant("default", base),)
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"two variants are called {name!r}", hint="give each variant its own name")
    return tuple(Variant(variant.name, merge(base, variant.options)) for variant in variants)


def option_files(variants: Sequence[Variant]) -> dict[str, tuple[tuple[str, Artifact], ...]]:
    """By variant, the local files that its options read. Raises RequestError for one that is missing."""
    found: dict[str, tuple[tuple[str, Artifact], ...]] = {}
    for variant in variants:
        reads = input_files(variant.options, lambda path: Path(path).expanduser().is_file())
        found[variant.name] = tuple((name, artifact_of(Path(path).expanduser())) for name, path in reads)
    return found
