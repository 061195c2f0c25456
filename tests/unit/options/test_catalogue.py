import re
from pathlib import Path

import jsonschema
import pytest

from farm.errors import RequestError
from farm.model.device import RuntimeKind
from farm.model.matrix import RoundKind
from farm.options import CATALOGUE, Group, Kind, Works, option, schema, search
from farm.options.document import document
from farm.options.rules import RULES

ROOT = Path(__file__).parents[3]

WANTED = {
    Group.BASIC: "iter warmup-iter thread input lite mdl share-param-mem",
    Group.FAST_RUN: "full-run fast-run fast-run-algo-policy reproducible fast-run-shared-batch-size "
    "binary-equal-between-batch",
    Group.IO: "io-dump io-dump-stdout io-dump-stderr bin-io-dump bin-out-dump copy-to-host batch-size",
    Group.LAYOUT: "enable-nchw4 enable-chwn4 enable-nchw44 enable-nchw88 enable-nchw32 enable-nchw64 enable-nhwcd4 "
    "enable-nchw44-dot",
    Group.GLOBAL_LAYOUT: "layout-transform layout-transform-dump",
    Group.FUSION: "enable-fuse-preprocess weight-preprocess enable-fuse-conv-bias-nonlinearity "
    "enable-fuse-conv-bias-with-z const-shape fake-first no-sanity-check disable-mem-opt workspace-limit "
    "record-comp-seq record-comp-seq2 enable-jit enable-ioc16 optimize-for-inference fuse-grain",
    Group.DEVICE: "cuda cpu cpu-default multithread multithread-default multi-thread-core-ids rocm "
    "rocm-enable-miopen-search tensorrt tensorrt-cache",
    Group.PLUGIN: "check-dispatch range check-var-value profile profile-host",
    Group.DEBUG: "model-info verbose disable-assert-throw get-static-mem-info wait-gdb",
    Group.C_OPERATORS: "c-opr-lib c-opr-lib-with-param c-opr-init-interface",
    Group.MODEL: "fitting dump-fitting-model packed-model-dump pack-info-json pack-cache pack-info-cryption "
    "pack-model-cryption model-dump",
}


def test_every_option_is_in_its_group():
    found = {group: {row.name for row in CATALOGUE if row.group is group} for group in Group}
    assert found == {group: set(names.split()) for group, names in WANTED.items()}


def test_no_spelling_means_two_options():
    spellings = [spelling for row in CATALOGUE for spelling in row.spellings]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_a_row_is_whole(row):
    assert row.flag is None or row.flag == row.name.replace("-", "_")
    assert row.help.endswith((".", ")."))
    assert (row.metavar is None) == row.is_flag
    assert bool(row.choices) == (row.kind is Kind.CHOICE)
    assert bool(row.writes) == (row.kind in (Kind.FILE_OUT, Kind.FILE_INOUT, Kind.DIRECTORY_OUT))
    assert bool(row.reads) == (row.kind in (Kind.FILE_IN, Kind.FILE_INOUT) or row.name == "input")
    for runtime in RuntimeKind:
        support = row.support(runtime)
        assert bool(support.why) == (support.works is not Works.YES)
    if row.round_kind is RoundKind.DUMP:
        assert row.observe_iter == 1


def test_what_no_program_has_cannot_be_had_anywhere():
    for row in CATALOGUE:
        assert (row.flag is None) == (row.native.works is Works.NO)


def test_rules_name_options_that_exist():
    names = {row.name for row in CATALOGUE}
    for rule in RULES:
        assert set(rule.names) <= names
        assert rule.reason
        assert rule.instead


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("--enbale-jit", "enable-jit"),
        ("enbale_jit", "enable-jit"),
        ("--mode-info", "model-info"),
        ("--const", "const-shape"),
        ("--disable_mem_opt", "disable-mem-opt"),
        ("--workspace_limit", "workspace-limit"),
        ("--Lite", "lite"),
        ("-iter", "iter"),
    ],
)
def test_documented_misspellings_find_their_option(typed, name):
    assert option(typed).name == name


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(RequestError) as caught:
        option("--warmup-itr")
    assert "--warmup-iter" in caught.value.hint
    with pytest.raises(RequestError) as caught:
        option("--zzzzzzzz")
    assert "farm options" in caught.value.hint


def test_search_finds_by_name_role_and_trap():
    assert {row.name for row in search("nchw44")} >= {"enable-nchw44", "enable-nchw44-dot"}
    assert {row.name for row in search("static memory")} >= {"get-static-mem-info", "disable-mem-opt"}
    assert "fast-run-algo-policy" in {row.name for row in search("fast-run-cache")}
    assert search("no such thing") == ()


def test_the_schema_takes_what_from_mapping_takes():
    described = schema()
    jsonschema.Draft202012Validator.check_schema(described)
    validator = jsonschema.Draft202012Validator(described)
    assert validator.is_valid(
        {"iter": 20, "enable-nchw44": True, "multi-thread-core-ids": [0, 1], "range": 1.5}
    )
    for wrong in (
        {"iter": "x"},
        {"iter": -5},
        {"no-such": 1},
        {"layout-transform": "gpu"},
        {"check-var-value": "abc"},
    ):
        assert not validator.is_valid(wrong), wrong


def test_the_page_in_docs_is_current():
    assert (ROOT / "docs" / "options.md").read_text("utf-8") == document()


def test_the_page_says_of_every_option_what_each_runtime_can():
    text = document()
    for row in CATALOGUE:
        line = next(
            line
            for line in text.splitlines()
            if line.startswith("| `") and re.search(rf"`--{row.name}[ `]", line)
        )
        cells = line.split(" | ")
        assert cells[3].startswith(("works", "cannot")), row.name
        assert cells[4].startswith(("works", "cannot")), row.name
