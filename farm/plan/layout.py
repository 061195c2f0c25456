"""How files are laid out on a device: trees of readable names over the store, named by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePath

from farm.files import ascii_name
from farm.model.artifact import Artifact, Tree
from farm.model.device import Runtime, RuntimeKind
from farm.model.matrix import InputSpec, Model, Plan
from farm.model.options import OptionSet
from farm.plan.builds import runtimes_of
from farm.plan.matrix import cells_of, needed_artifacts
from farm.store.artifacts import artifact_of

Files = tuple[tuple[str, Artifact], ...]
"""Files by their names in a folder on a device."""

PROGRAMS = frozenset({"load_and_run", "load_and_run.py"})
PRELOADED = "preload/"


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


def input_digest(spec: InputSpec) -> str:
    """SHA-256 over what a program is given as `--input`: the text, and the digests of the files in it."""
    text = spec.template.format(*(file.artifact.sha256 for file in spec.files)) if spec.files else spec.text
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def options_digest(options: OptionSet, files: Files) -> str:
    """SHA-256 over the values of options; of those that name files that are read, over the files' content."""
    values = options.as_dict() | {name: artifact.sha256 for name, artifact in files}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


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


def own_files(runtime: Runtime) -> Files:
    """The user's files of a runtime by their names in its folder on a device: program and libraries of a
    local build, what is laid over these or over the wheel, and what is loaded before all others, in that
    order and under names that do not depend on where the files are here.

    Raises RequestError when one cannot be read.
    """
    found: dict[str, Artifact] = {}
    if runtime.kind is RuntimeKind.NATIVE and not runtime.on_device:
        assert runtime.program is not None, "the inventory checks that a native runtime names its program"
        found["load_and_run"] = artifact_of(Path(runtime.program), name="load_and_run", executable=True)
        found |= {f"lib/{Path(path).name}": artifact_of(Path(path)) for path in runtime.libraries}
    for name, path in runtime.overlay:
        found[name] = artifact_of(Path(path), executable=name in PROGRAMS)
    preloaded = (artifact_of(Path(path)) for path in runtime.preload)
    return (*found.items(), *((f"{PRELOADED}{number}.so", one) for number, one in enumerate(preloaded)))


def laid_over(base: Files, files: Files) -> Files:
    """The files of a folder when others are laid over it; those that are new come last."""
    return tuple((dict(base) | dict(files)).items())


def files_to_push(plan: Plan) -> dict[str, tuple[Artifact, ...]]:
    """By device, all that its cells need there, each file once: models, inputs, files of options, and those
    of the builds; where facts of the device decide between several, all of them. Not farm's own files and
    those of the wheel runtime.

    Raises RequestError when a file of a build cannot be read.
    """
    build_of = cache(own_files)
    found = {}
    for device in plan.devices:
        cells = cells_of(plan, device)
        runtimes = dict.fromkeys(runtime for cell in cells for runtime in runtimes_of(plan, cell))
        built = (artifact for runtime in runtimes for _, artifact in build_of(runtime))
        files = {artifact.sha256: artifact for artifact in (*needed_artifacts(cells), *built)}
        found[device.name] = tuple(files.values())
    return found


def native_digest(files: Iterable[tuple[str, Artifact]]) -> str:
    """What identifies a local build: the first of its `files` is the program."""
    program, *others = ((name, artifact.sha256) for name, artifact in files)
    libraries = (one for one in others if not one[0].startswith(PRELOADED))
    preloaded = (digest for name, digest in others if name.startswith(PRELOADED))
    return digest_with_preloaded(digest_with_libraries(program[1], libraries), preloaded)


def digest_with_libraries(program: str, libraries: Iterable[tuple[str, str]]) -> str:
    """The program's own SHA-256, as `sha256sum` prints it; where it has libraries of its own, SHA-256 over
    that and their names (without folders) and digests. So one build has one digest, wherever it is.
    """
    lines = sorted({f"lib/{PurePath(name).name} {digest}" for name, digest in libraries})
    if not lines:
        return program
    text = "\n".join((f"load_and_run {program}", *lines))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def digest_with_preloaded(program: str, preloaded: Iterable[str]) -> str:
    """The digest of a program that is run with libraries loaded before all others, in their order."""
    lines = [f"preload {digest}" for digest in preloaded]
    if not lines:
        return program
    return hashlib.sha256("\n".join((program, *lines)).encode("ascii")).hexdigest()
