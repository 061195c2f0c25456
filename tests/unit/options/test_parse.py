import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.model.options import OptionSet
from farm.options import CATALOGUE, from_mapping, merge, parse, parse_with_notes


def values(*words):
    return parse(words).as_dict()


@pytest.mark.parametrize(
    "words",
    [("--iter", "20"), ("-iter", "20"), ("--iter=20",), ("-iter=20",), ("--iter", "+20")],
)
def test_a_value_is_joined_or_the_next_word(words):
    assert values(*words) == {"iter": 20}


def test_dashes_and_underscores_are_the_same():
    assert parse(["--warmup_iter=3", "--enable_nchw44_dot"]) == parse(
        ["--warmup-iter=3", "--enable-nchw44-dot"]
    )


@pytest.mark.parametrize("text", ["true", "t", "1", "y", "yes", "TRUE"])
def test_a_flag_is_on(text):
    assert values(f"--lite={text}") == values("--lite") == {"lite": True}


@pytest.mark.parametrize(
    "word", ["--lite=false", "--lite=f", "--lite=0", "--lite=n", "--lite=no", "--nolite", "--no-lite"]
)
def test_a_flag_that_is_off_is_no_option(word):
    assert values(word) == {}


def test_an_option_whose_name_starts_with_no_is_not_turned_off():
    assert values("--no-sanity-check") == {"no-sanity-check": True}


def test_a_stray_word_is_refused_because_the_program_would_ignore_it():
    with pytest.raises(RequestError) as caught:
        values("--lite", "false")
    assert "--lite=false" in caught.value.hint
    with pytest.raises(RequestError):
        values("other.mge")
    with pytest.raises(RequestError):
        values("--", "--iter", "2")


@pytest.mark.parametrize(
    "words",
    [
        ("--iter",),
        ("--iter", "--cpu"),
        ("--profile", "--cpu"),
        ("--iter", "abc"),
        ("--iter", "2.5"),
        ("--iter", "0"),
        ("--iter", "-1"),
        ("--iter", "99999999999"),
        ("--warmup-iter", "-1"),
        ("--thread", "0"),
        ("--thread", "-1"),
        ("--multithread",),
        ("--multithread", "--fast-run"),
        ("--multithread", "0"),
        ("--multithread", "-2"),
        ("--workspace-limit", "-1"),
        ("--workspace-limit", str(2**64)),
        ("--range", "nan"),
        ("--range", "-3"),
        ("--range", "inf"),
        ("--check-var-value", "abc"),
        ("--check-var-value", "1:"),
        ("--layout-transform", "gpu"),
        ("--lite=perhaps",),
        ("--profile", ""),
        ("--profile=",),
        ("--multi-thread-core-ids", "4-2"),
        ("--multi-thread-core-ids", "0,,1"),
        ("--multi-thread-core-ids", "0,0"),
        ("--multi-thread-core-ids", "0-99999"),
        ("--multi-thread-core-ids", "0;rm"),
        ("--c-opr-init-interface", "a b"),
        ("--pack-info-cryption", "ROT13"),
        ("--flagfile=x",),
        ("--fromenv=iter",),
        ("--undefok=rocm",),
        ("--help",),
        ("--profile=a\0b",),
    ],
    ids=" ".join,
)
def test_a_wrong_value_is_refused_before_a_device_is_touched(words):
    with pytest.raises(RequestError):
        parse(words)


def test_a_limit_says_what_would_happen():
    with pytest.raises(RequestError, match="loop for ever"):
        parse(["--iter", "-1"])
    with pytest.raises(RequestError, match="threads for ever"):
        parse(["--thread", "-1"])


def test_a_missing_value_shows_how_the_option_is_written():
    with pytest.raises(RequestError) as caught:
        parse(["--multithread"])
    assert caught.value.hint == "--multithread N"


def test_the_order_of_the_words_does_not_matter():
    one = parse(["--cpu", "--iter", "20", "--fast-run"])
    other = parse(["--fast-run", "--cpu", "--iter=20"])
    assert one == other
    assert one.digest == other.digest
    assert [name for name, _ in one.values] == ["iter", "fast-run", "cpu"]


def test_a_default_that_is_said_means_the_same_as_one_that_is_not():
    assert parse(["--iter", "10", "--multithread", "-1", "--range", "0"]) == OptionSet()
    assert parse(["--iter", "10"]).digest == OptionSet().digest


def test_an_override_can_go_back_to_a_default():
    base = parse(["--iter", "50", "--cpu", "--fast-run"])
    merged = merge(base, parse(["--iter", "10", "--nocpu", "--warmup-iter", "3"]))
    assert merged == parse(["--fast-run", "--warmup-iter", "3"])


def test_merging_three_keeps_what_the_last_one_said():
    back = merge(parse(["--cpu"]), parse(["--nocpu"]))
    assert merge(parse(["--cpu"]), merge(back, OptionSet())) == OptionSet()


def test_core_ranges_are_written_out():
    assert values("--multi-thread-core-ids", "4-6,1") == {"multi-thread-core-ids": "4,5,6,1"}
    assert values("--multi-thread-core-ids", "big") == {"multi-thread-core-ids": "big"}


def test_misspellings_are_taken_with_a_note():
    options, notes = parse_with_notes(["--enbale-jit", "--mode_info", "--const", "--disable_mem_opt"])
    assert options.as_dict() == {
        "const-shape": True,
        "disable-mem-opt": True,
        "enable-jit": True,
        "model-info": True,
    }
    assert len(notes) == 3
    assert "--enable-jit" in notes[0]


def test_an_option_given_twice_is_noted_and_the_last_one_counts():
    options, notes = parse_with_notes(["--iter", "5", "--iter", "2"])
    assert options.as_dict() == {"iter": 2}
    assert "more than once" in notes[0]


def test_a_flag_file_is_read_where_there_is_a_reader():
    files = {"flags": "# comment\n--iter=3\n\n--cpu\n"}
    options, _ = parse_with_notes(["--flagfile=flags", "--fast-run"], read_file=files.__getitem__)
    assert options.as_dict() == {"iter": 3, "fast-run": True, "cpu": True}


def test_a_flag_file_cannot_name_itself():
    with pytest.raises(RequestError):
        parse(["--flagfile=f"], read_file=lambda _: "--flagfile=f\n")


def test_a_mapping_means_what_the_words_mean():
    mapping = {
        "iter": 20,
        "enable_nchw44": True,
        "lite": False,
        "multi-thread-core-ids": [0, 1],
        "range": 2,
        "cpu": None,
    }
    words = "--iter 20 --enable-nchw44 --multi-thread-core-ids 0,1 --range 2.0 --cpu"
    assert from_mapping(mapping) == parse(words.split())


@pytest.mark.parametrize(
    "mapping",
    [{"iter": None}, {"iter": "x"}, {"iter": True}, {"iter": {}}, {"iter": 2.5}, {"cpu": "maybe"}, {"nope": 1},
     {"fast_run": True, "fast-run": True}],
    ids=str,
)  # fmt: skip
def test_a_mapping_of_wrong_values_is_refused(mapping):
    with pytest.raises(RequestError):
        from_mapping(mapping)


@pytest.mark.no_cover
@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from([f"--{row.name}" for row in CATALOGUE]))))
def test_any_words_give_options_or_a_request_error(words):
    try:
        options = parse(words)
    except RequestError:
        return
    assert from_mapping(options.as_dict()) == options
