"""How files are laid out on a device: trees of readable names over the store, named by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePath

from farm.files import ascii_name
from farm.model.artifact import Artifact, Tree
from farm.model.device import Runtime, RuntimeKind
from farm.model.matrix import InputSpec, Model, Plan
from farm.plan.matrix import cells_of, needed_artifacts
from farm.store.artifacts import artifact_of


def model_file_name(model: Model) -> str:
    """The model's name on a device, in ASCII: its file names may have any encoding."""
    return f"{ascii_name(model.name)}.mge"


def input_names(spec: InputSpec, prefix: str = "input") -> tuple[str, ...]:
    """A readable name for each input file; the suffix stays, since it decides how it is read.

    They come from the artifact's name: its path may be what a symbolic link of another name points to.
    """
    names = (PurePath(file.artifact.name) for file in spec.files)
    return tuple(
        f"{prefix}{index}-{ascii_name(name.stem)}{name.suffix.lower()}" for index, name in enumerate(names)
    )


def tree_of(prefix: str, files: Iterable[tuple[str, Artifact]]) -> Tree:
    """A tree whose name is the digest of its content, so that equal trees are one."""
    listing = tuple(files)
    return Tree(f"{prefix}-{content_digest(listing)[:12]}", listing)


def content_digest(files: Iterable[tuple[str, Artifact]]) -> str:
    """SHA-256 over names and digests: which program with which libraries a number belongs to."""
    text = "\n".join(f"{name} {artifact.sha256}" for name, artifact in files)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def model_tree(model: Model) -> Tree:
    """The model and its input files under readable names."""
    named = [*_named_inputs(model.inputs, input_names(model.inputs))]
    if model.check and model.check.inputs:
        named += _named_inputs(model.check.inputs, check_names(model.check.inputs))
    return tree_of("model", ((model_file_name(model), model.artifact), *named))


def check_names(spec: InputSpec) -> tuple[str, ...]:
    """As `input_names`, of the inputs of check rounds."""
    return input_names(spec, "check")


def _named_inputs(spec: InputSpec, names: Iterable[str]) -> Iterator[tuple[str, Artifact]]:
    return zip(names, (file.artifact for file in spec.files), strict=True)


def native_files(runtime: Runtime) -> tuple[tuple[str, Artifact], ...]:
    """The files of a local build by their names on a device.

    Raises RequestError when one cannot be read.
    """
    assert runtime.program is not None, "the inventory checks that a native runtime names its program"
    program = artifact_of(Path(runtime.program), name="load_and_run", executable=True)
    libraries = ((f"lib/{Path(path).name}", artifact_of(Path(path))) for path in runtime.libraries)
    return (("load_and_run", program), *libraries)


def files_to_push(plan: Plan) -> dict[str, tuple[Artifact, ...]]:
    """By device, all that its cells need there, each file once: models, inputs, files of options, and the
    program and libraries of a local build. Not farm's own files and those of the wheel runtime.

    Raises RequestError when a file of a build cannot be read.
    """

    @cache
    def build_of(runtime: Runtime) -> tuple[Artifact, ...]:
        is_pushed = runtime.kind is RuntimeKind.NATIVE and not runtime.on_device
        return tuple(artifact for _, artifact in native_files(runtime)) if is_pushed else ()

    found = {}
    for device in plan.devices:
        cells = cells_of(plan, device)
        build = build_of(device.runtime) if cells else ()
        files = {artifact.sha256: artifact for artifact in (*needed_artifacts(cells), *build)}
        found[device.name] = tuple(files.values())
    return found


def native_digest(files: Iterable[tuple[str, Artifact]]) -> str:
    """What identifies a local build: the first of its `files` is the program."""
    program, *libraries = ((name, artifact.sha256) for name, artifact in files)
    return digest_with_libraries(program[1], libraries)


def digest_with_libraries(program: str, libraries: Iterable[tuple[str, str]]) -> str:
    """The program's own SHA-256, as `sha256sum` prints it; where it has libraries of its own, SHA-256 over
    that and their names (without folders) and digests. So one build has one digest, wherever it is.
    """
    lines = sorted({f"lib/{PurePath(name).name} {digest}" for name, digest in libraries})
    if not lines:
        return program
    text = "\n".join((f"load_and_run {program}", *lines))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
