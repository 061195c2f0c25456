"""Writing models, and searching for the best options."""

from __future__ import annotations

from farm.model.matrix import RoundKind
from farm.options.catalogue.fusion import INTERNAL
from farm.options.row import Group, Kind, Option, condition

CIPHERS = ("NONE", "AES_default", "RC4_default", "SIMPLE_FAST_RC4_default")
SWAPPED = "The native program of 1.13 swaps the two names: set both to the same."
NAMED = condition("the name is written to the file, nothing is encrypted")

ROWS = (
    Option(
        name="packed-model-dump",
        flag="packed_model_dump",
        group=Group.MODEL,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        documented=False,
        writes="packed-model",
        round_kind=RoundKind.SETUP,
        observe_iter=1,
        help="Write a packed Lite model: model, information and algorithm cache in one file.",
    ),
    Option(
        name="pack-info-json",
        flag="pack_info_json",
        group=Group.MODEL,
        kind=Kind.FILE_IN,
        metavar="FILE",
        documented=False,
        reads="pack-info",
        round_kind=RoundKind.SETUP,
        help="Information to pack into the model.",
    ),
    Option(
        name="pack-cache",
        flag="pack_cache",
        group=Group.MODEL,
        kind=Kind.FILE_IN,
        metavar="FILE",
        documented=False,
        reads="fast-run-cache",
        round_kind=RoundKind.SETUP,
        help="Fast-run cache to pack into the model.",
    ),
    Option(
        name="pack-info-cryption",
        flag="pack_info_cryption",
        group=Group.MODEL,
        kind=Kind.CHOICE,
        choices=CIPHERS,
        default="NONE",
        metavar="CIPHER",
        documented=False,
        round_kind=RoundKind.SETUP,
        help="Name of the cipher that the packed information is read with.",
        wheel=NAMED,
        traps=(SWAPPED,),
    ),
    Option(
        name="pack-model-cryption",
        flag="pack_model_cryption",
        group=Group.MODEL,
        kind=Kind.CHOICE,
        choices=CIPHERS,
        default="NONE",
        metavar="CIPHER",
        documented=False,
        round_kind=RoundKind.SETUP,
        help="Name of the cipher that the packed model is read with.",
        wheel=NAMED,
        traps=(SWAPPED,),
    ),
    Option(
        name="model-dump",
        flag="model_dump",
        group=Group.MODEL,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        documented=False,
        writes="model-dump",
        round_kind=RoundKind.SETUP,
        observe_iter=1,
        not_lite="unsupported interface: ModelLite::get_model_data()",
        help="Write the model as it is after the optimisations.",
        wheel=INTERNAL,
    ),
    Option(
        name="fitting",
        flag="fitting",
        group=Group.MODEL,
        kind=Kind.FLAG,
        documented=False,
        round_kind=RoundKind.SETUP,
        help="Try many option sets and print the fastest (a search; its times are not the variant's).",
        wheel=condition("tries the native program's option sets, each in a separate process"),
        traps=(
            "Always uses iter 10, warm-up 3 and thread 1.",
            "The native program writes and removes `fitting_tmp_model` in its current folder.",
        ),
    ),
    Option(
        name="dump-fitting-model",
        flag="dump_fitting_model",
        group=Group.MODEL,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        documented=False,
        writes="fitting-model",
        round_kind=RoundKind.SETUP,
        help="Write the model with the best options that `--fitting` found.",
        wheel=INTERNAL,
        traps=(
            "Without `--fitting` silently writes no file.",
            "The native program's model, found without `--cpu`, does not load in Lite.",
        ),
    ),
)
