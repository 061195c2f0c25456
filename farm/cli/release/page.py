"""The page of a release from its runs, written and told."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from farm import __version__
from farm.cli.runs.output import write_output
from farm.cli.runs.outputs import outputs_of_both
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.progress import Bar
from farm.errors import ExitCode, RequestError
from farm.model.limits.deadlines import Deadlines
from farm.release.as_json import pieces
from farm.release.compose import compose
from farm.release.decide import Release, decide
from farm.release.links import Links
from farm.release.markdown import markdown
from farm.release.read import compare_all, directories, read_all
from farm.release.render import render
from farm.release.summary import summary
from farm.release.versions import choose
from farm.store.runs import RunDirectory
from farm.store.sealing.digests import seal
from farm.store.sealing.sign import require_signer, sign
from farm.suggest import nearest

FORMATS = ("html", "markdown")
PAGE = "release.html"
MOST_FINDINGS = 10


@dataclass(frozen=True)
class Wanted:
    """How the page is written. `versions` None: as the runs say; `output` None: beside the first run.
    `is_sealed`: the digests of page and data are written beside it, and signed with the `key`.
    """

    form: str = FORMATS[0]
    versions: str | None = None
    output: Path | None = None
    max_undecided: int | None = None
    json: bool = False
    is_sealed: bool = False
    key: Path | None = None
    deadlines: Deadlines = Deadlines()


def require_wanted(wanted: Wanted, *, will_be_there: bool = False) -> None:
    """Raise RequestError for what cannot be, before anything is measured; `will_be_there`: the folder of the
    output is made by then.
    """
    if wanted.form not in FORMATS:
        near = nearest(wanted.form, FORMATS)
        raise RequestError(
            f"there is no format {wanted.form!r}", hint=f"--format {' or '.join(FORMATS)}{near}"
        )
    if wanted.is_sealed and _has_no_file(wanted):
        raise RequestError("--digests needs a file to stand beside", hint="--output release.html")
    if wanted.output is not None and not wanted.output.parent.is_dir() and not will_be_there:
        raise RequestError(
            f"--output {wanted.output}: there is no folder {wanted.output.parent}", hint="make it first"
        )
    if wanted.key is not None:
        require_signer(wanted.key, wanted.deadlines)


def _has_no_file(wanted: Wanted) -> bool:
    return wanted.output is None and (wanted.json or wanted.form != FORMATS[0])


def write(runs_dir: Path, names: list[str], wanted: Wanted, code: ExitCode | None = None) -> Release:
    """Write the page, and say what it says; `code` is shown in JSON, None: that of the decision."""
    found, release = _release(runs_dir, names, wanted)
    target = wanted.output or (None if _has_no_file(wanted) else _beside(release))
    text = _text(release, wanted.form, target)
    if target is not None:
        write_output(target, text)
    sealed = _sealed(target, found, wanted) if wanted.is_sealed and target is not None else ()
    if wanted.json:
        for piece in pieces(release, release.last.code if code is None else code):
            sys.stdout.write(piece)
    elif target is None:
        print(text, end="")  # noqa: T201 - rich would wrap it
    else:
        for line in (*summary(release), *release.findings[:MOST_FINDINGS], *sealed):
            say(line)
        out.print(plain(str(target)))
    return release


def _sealed(target: Path, found: list[RunDirectory], wanted: Wanted) -> tuple[str, ...]:
    """What was written beside the page, as lines to show."""
    with Bar() as bar:
        digests = seal(target, found, bar.update)
    signature = sign(digests, wanted.key, wanted.deadlines) if wanted.key else None
    return (f"digests: {digests}", f"signature: {signature or 'none (--sign KEY)'}")


def _beside(release: Release) -> Path:
    """The page is written beside the first run, so that its links are short."""
    folder = release.runs[0].folder
    return (folder if folder.name not in ("", "..") else folder.resolve()).parent / PAGE


def _release(runs_dir: Path, names: list[str], wanted: Wanted) -> tuple[list[RunDirectory], Release]:
    found, aliases = directories(runs_dir, names)
    with Bar() as bar:
        read = read_all(found, bar.update)
        asked = [one.strip() for one in wanted.versions.split(",")] if wanted.versions is not None else []
        chosen = choose(read, asked, {name: read[number].run_id for name, number in aliases.items()})
        between = compare_all(found, read, chosen, outputs_of_both, bar.update)
    return found, decide(read, chosen, between, wanted.max_undecided)


def _text(release: Release, form: str, target: Path | None) -> str:
    if form == "markdown":
        return markdown(release)
    made = f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by farm {__version__}."
    links = Links(release.runs, target or Path(PAGE))
    return render(compose(release, links, made))
