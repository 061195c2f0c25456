"""The fields of a row of the option catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from farm.model.device import RuntimeKind
from farm.model.matrix import RoundKind
from farm.model.options import Value


class Group(StrEnum):
    """Groups of the documented list, in its order; MODEL has what 1.13 has and the list leaves out."""

    BASIC = "Basic"
    FAST_RUN = "Fast-run"
    IO = "Input and output"
    LAYOUT = "Layout"
    GLOBAL_LAYOUT = "Global layout"
    FUSION = "Fusion and other optimisations"
    DEVICE = "Device"
    PLUGIN = "Plugins"
    DEBUG = "Debugging"
    C_OPERATORS = "C operators"
    MODEL = "Model and undocumented"


class Kind(StrEnum):
    """How the text of a value is parsed."""

    FLAG = "flag"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    TEXT = "text"
    CHOICE = "choice"
    CORES = "cores"
    FILE_IN = "file in"
    FILE_OUT = "file out"
    FILE_INOUT = "file in and out"
    DIRECTORY_OUT = "directory out"


class Works(StrEnum):
    """How far a runtime supports an option."""

    YES = "works"
    CONDITION = "works with a condition"
    NO = "cannot"


@dataclass(frozen=True)
class Support:
    """How one runtime supports an option; `why` states the condition, or why it does not."""

    works: Works = Works.YES
    why: str = ""


WORKS = Support()


def condition(why: str) -> Support:
    return Support(Works.CONDITION, why)


def cannot(why: str) -> Support:
    return Support(Works.NO, why)


@dataclass(frozen=True)
class Needs:
    """What an option requires. `build` is the build flag of MegEngine that compiles it in.

    The probe looks for `nvidia_gpu` (for these runtimes, and only for the value `gpu_value` if there is one)
    and `cpu_features` (any one of them, as /proc/cpuinfo spells it). `meant_for` names the processors that an
    option was made for, where it also runs on others: `x86`, `arm`, `nvidia`, `mobile-gpu`.
    """

    build: str | None = None
    nvidia_gpu: frozenset[RuntimeKind] = frozenset()
    gpu_value: str | None = None
    cpu_features: tuple[str, ...] = ()
    meant_for: tuple[str, ...] = ()


NOTHING = Needs()
EVERYWHERE = frozenset(RuntimeKind)


@dataclass(frozen=True)
class Option:
    """One option of load_and_run.

    `flag` is the program's own spelling (underscores, as `--help` prints it), None where no program of
    1.13 has it. `aliases` are other correct spellings, `misspellings` wrong ones of the documentation; all
    are accepted, the latter with a note. `default` is the program's. `minimum`, `maximum`, `choices` and
    `pattern` limit a value; `limit_reason` says what happens beyond. `round_kind` is TIMED for what
    belongs to a timed round, SETUP for what is made once before, else the kind of its separate round.
    `reads` and `writes` are artifact roles. `observe_iter` and `observe_warmup` are the iterations of the
    separate round, None for the user's. `not_lite` is the native program's error text when the option is
    used with a Lite model or `--lite`. The wheel runtime gives it only for `--lite`, and not if
    `wheel_with_lite`.
    """

    name: str
    flag: str | None
    group: Group
    kind: Kind
    help: str
    default: Value | None = None
    metavar: str | None = None
    unit: str | None = None
    aliases: tuple[str, ...] = ()
    misspellings: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    limit_reason: str | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    needs: Needs = NOTHING
    reads: str | None = None
    writes: str | None = None
    round_kind: RoundKind = RoundKind.TIMED
    observe_iter: int | None = None
    observe_warmup: int | None = None
    not_lite: str | None = None
    wheel_with_lite: bool = False
    documented: bool = True
    native: Support = WORKS
    wheel: Support = WORKS
    traps: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names of this option, the documented one first; dashes for underscores."""
        return (self.name, *self.aliases, *self.misspellings)

    @property
    def is_flag(self) -> bool:
        return self.kind is Kind.FLAG

    @property
    def is_timed(self) -> bool:
        return self.round_kind is RoundKind.TIMED

    def support(self, runtime: RuntimeKind) -> Support:
        return self.native if runtime is RuntimeKind.NATIVE else self.wheel
