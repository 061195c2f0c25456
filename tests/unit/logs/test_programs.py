from pathlib import Path

import pytest

from farm.logs.fitting import parse_fitted
from farm.logs.help import parse_flags
from farm.options import CATALOGUE, parse
from farm.plan.content.model_file import HEAD_BYTES, ModelFormat, sniff

BUNDLED = Path(__file__).parents[3] / "farm" / "bundled"


def test_the_help_of_a_program_lists_every_flag_of_the_catalogue(transcripts):
    flags = parse_flags(transcripts["help"]["stdout"])
    assert {row.flag for row in CATALOGUE if row.flag} <= flags
    assert "rocm" not in flags


def test_words_inside_a_description_are_no_flags():
    text = "    -iter (iterations, see --thread\n      -nothing (here)) type: int32\n"
    assert parse_flags(text) == {"iter"}


def test_a_text_that_is_no_help_has_no_flags():
    assert parse_flags("sh: load_and_run: not found\n") == frozenset()


def test_the_best_options_of_a_search_can_be_parsed(transcripts):
    words = parse_fitted(transcripts["fitting_cpu"]["stdout"])
    assert parse(words).as_dict() == {
        "fast-run": True,
        "weight-preprocess": True,
        "enable-fuse-conv-bias-nonlinearity": True,
        "record-comp-seq": True,
        "cpu": True,
    }


def test_best_options_that_are_cut_are_none(transcripts):
    text = transcripts["fitting_cpu"]["stdout"]
    for end in range(len(text.rstrip("\n")) + 1):
        assert parse_fitted(text[:end]) is None


@pytest.mark.parametrize("name", ["tiny", "int8", "two_inputs", "shufflenet_v2_x0_5"])
def test_the_bundled_models_are_known(name):
    assert sniff((BUNDLED / f"{name}.mge").read_bytes()[:HEAD_BYTES]) is ModelFormat.V2


@pytest.mark.parametrize(
    ("head", "found", "kind"),
    [
        (b"mgb0001\0", ModelFormat.V1, "mdl"),
        (b"mgb0000a", ModelFormat.V1, "mdl"),
        (b"MGBS", ModelFormat.V1, "mdl"),
        (b"MGBC", ModelFormat.V1, "mdl"),
        (b"mgbtest0", ModelFormat.TESTCASE, "testcase"),
        (b"packed_model", ModelFormat.PACKED, "lite"),
        (b"\x5c\x20\0\0\x20\0\0\0mgv2", ModelFormat.V2, "mdl"),
    ],
)
def test_a_model_is_known_by_its_first_bytes(head, found, kind):
    assert sniff(head.ljust(HEAD_BYTES, b"\0")) is found
    assert found.kind == kind


@pytest.mark.parametrize(
    "head", [b"", b"mgb0001", b"#!/bin/sh\necho no", b"\x7fELF" + b"\0" * 20, b"\0" * 16]
)
def test_anything_else_is_no_model(head):
    assert sniff(head) is None
