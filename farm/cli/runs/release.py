"""`farm release`: several runs, versions side by side."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from farm import __version__
from farm.cli import arguments as args
from farm.cli.runs.output import write_output
from farm.cli.runs.outputs import outputs_of_both
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.progress import Bar
from farm.errors import ExitCode, RequestError
from farm.release.as_json import pieces
from farm.release.compose import compose
from farm.release.decide import Release, decide
from farm.release.links import Links
from farm.release.markdown import markdown
from farm.release.read import compare_all, directories, read_all
from farm.release.render import render
from farm.release.summary import summary
from farm.release.versions import choose
from farm.suggest import nearest

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm release latest\n\n"
    "  farm release lab-a lab-b --versions 1.13,1.14,1.15 --output release.html\n\n"
    "  farm release old-a old-b new-a new-b --versions 'old=old-a+old-b,new=new-a+new-b'\n\n"
    "  farm release latest --format markdown --check"
}

FORMATS = ("html", "markdown")
PAGE = "release.html"
MOST_FINDINGS = 10


def command(
    *,
    runs: Annotated[list[str], typer.Argument(help="Ids, folders, or `latest`.", metavar="RUN...")],
    versions: Annotated[
        str | None,
        typer.Option(
            help="Builds, runs, variants or models, the oldest first: '1.13,1.14', or 'old=a+b,new=c' where "
            "several are one version. Default: those that the runs compare, else the runs themselves.",
            metavar="OLD,...,NEW",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=f"File to write. Default: {PAGE} beside the first run; Markdown goes to stdout.",
            metavar="FILE",
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help=f"{' or '.join(FORMATS)}.", metavar="FORMAT")
    ] = FORMATS[0],
    max_undecided: Annotated[
        int | None,
        typer.Option(
            help="How many cells may be undecided before it is no GO. Default: as the runs have it.",
            metavar="N",
            min=0,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit code 1 for a confirmed regression or wrong outputs, 5 for NOT DECIDED."
        ),
    ] = False,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Write the report of a release: versions side by side on all devices and models of several runs.

    Its verdicts are those of the runs and of `farm compare`. Without --check the exit code is 0.
    """
    if form not in FORMATS:
        raise RequestError(
            f"there is no format {form!r}", hint=f"--format {' or '.join(FORMATS)}{nearest(form, FORMATS)}"
        )
    release = _release(runs_dir, runs, versions, max_undecided)
    code = release.last.code if check else ExitCode.OK
    target = output or (_beside(release) if form == "html" and not json else None)
    text = _text(release, form, target)
    if target is not None:
        write_output(target, text)
    if json:
        for piece in pieces(release, code):
            sys.stdout.write(piece)
    elif target is None:
        print(text, end="")  # noqa: T201 - rich would wrap it
    else:
        for line in (*summary(release), *release.findings[:MOST_FINDINGS]):
            say(line)
        out.print(plain(str(target)))
    raise typer.Exit(code)


def _beside(release: Release) -> Path:
    """The page is written beside the first run, so that its links are short."""
    folder = release.runs[0].folder
    return (folder if folder.name not in ("", "..") else folder.resolve()).parent / PAGE


def _release(runs_dir: Path, names: list[str], versions: str | None, max_undecided: int | None) -> Release:
    found, aliases = directories(runs_dir, names)
    with Bar() as bar:
        read = read_all(found, bar.update)
        asked = [one.strip() for one in versions.split(",")] if versions is not None else []
        chosen = choose(read, asked, {name: read[number].run_id for name, number in aliases.items()})
        between = compare_all(found, read, chosen, outputs_of_both, bar.update)
    return decide(read, chosen, between, max_undecided)


def _text(release: Release, form: str, target: Path | None) -> str:
    if form == "markdown":
        return markdown(release)
    made = f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by farm {__version__}."
    links = Links(release.runs, target or Path(PAGE))
    return render(compose(release, links, made))
