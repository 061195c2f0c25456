import pytest

from farm.errors import RequestError
from farm.model.options import OptionSet, Variant
from farm.options import from_mapping, product, slug, sweep, unique, variant


def test_a_variant_is_a_name_and_options():
    assert variant("t2=--multithread 2 --fast-run") == Variant(
        "t2", from_mapping({"multithread": 2, "fast-run": True})
    )


def test_leading_dashes_may_be_left_out():
    assert variant("t2=multithread 2 fast_run") == variant("t2=--multithread 2 --fast-run")
    assert variant("t2=multithread=2").options.as_dict() == {"multithread": 2}


def test_a_variant_without_options_is_the_base():
    assert variant("base=") == Variant("base", OptionSet())


def test_values_are_quoted_as_in_a_shell():
    assert variant("x=--profile 'a b.json'").options.as_dict() == {"profile": "a b.json"}


def test_a_name_may_have_spaces_and_letters_of_any_language():
    assert variant("4 线程=--multithread 4").name == "4 线程"


@pytest.mark.parametrize("text", ["no-name", "=--cpu", "  =--cpu", "a\nb=--cpu", "..=--cpu", "///=", "x" * 200 + "=",
                                  "a=--no-such", "a=--iter", "a=--profile 'x", "a=nonsense"])  # fmt: skip
def test_a_bad_variant_is_refused(text):
    with pytest.raises(RequestError):
        variant(text)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("4 threads", "4-threads"),
        ("a/b", "a-b"),
        ("../x", "x"),
        ("multithread=2", "multithread=2"),
        ("a, b", "a-b"),
    ],
)
def test_a_slug_is_one_path_component(name, path):
    assert slug(name) == path


def test_two_variants_of_one_name_are_refused():
    with pytest.raises(RequestError, match="two variants"):
        unique([variant("a=--cpu"), variant("a=--fast-run")])
    with pytest.raises(RequestError, match="same name in a path"):
        unique([variant("a b=--cpu"), variant("a-b=--fast-run")])
    with pytest.raises(RequestError, match="same name in a path"):
        unique([variant("A=--cpu"), variant("a=--fast-run")])


def test_two_names_for_the_same_options_are_an_honest_comparison():
    assert len(unique([variant("a=--cpu"), variant("b=--cpu")])) == 2


def test_a_sweep_has_a_variant_for_each_value():
    assert [(one.name, one.options.as_dict()) for one in sweep("multithread=1,2,4")] == [
        ("multithread=1", {"multithread": 1}),
        ("multithread=2", {"multithread": 2}),
        ("multithread=4", {"multithread": 4}),
    ]


def test_layout_and_device_choose_among_flags():
    assert [one.options.as_dict() for one in sweep("layout=default,nchw44,nchw44-dot")] == [
        {},
        {"enable-nchw44": True},
        {"enable-nchw44-dot": True},
    ]
    assert [one.options.as_dict() for one in sweep("device=cpu,cuda")] == [{"cpu": True}, {"cuda": True}]


def test_several_sweeps_are_all_combinations():
    found = sweep("multithread=1,2", "layout=nchw44,nchw88")
    assert [one.name for one in found] == [
        "multithread=1, layout=nchw44",
        "multithread=1, layout=nchw88",
        "multithread=2, layout=nchw44",
        "multithread=2, layout=nchw88",
    ]
    assert found[3].options == from_mapping({"multithread": 2, "enable-nchw88": True})


def test_a_flag_is_swept_on_and_off():
    assert [one.options.as_dict() for one in sweep("fast-run=on,off")] == [{"fast-run": True}, {}]


def test_a_sweep_beside_variants_merges_their_options():
    found = product([variant("base="), variant("fast=--fast-run --iter 50")], sweep("iter=10,20"))
    assert [(one.name, one.options.as_dict()) for one in found] == [
        ("base, iter=10", {}),
        ("base, iter=20", {"iter": 20}),
        ("fast, iter=10", {"fast-run": True}),
        ("fast, iter=20", {"iter": 20, "fast-run": True}),
    ]


@pytest.mark.parametrize(
    "texts",
    [("multithread",), ("multithread=",), ("multithread=1,,2",), ("multithread=1,x",), ("multithread=1,1",),
     ("layout=nchw5",), ("nope=1,2",), ("iter=1,2", "iter=3,4"), ("iter=1,2", "--iter=3"), ("iter=0,1",)],
    ids=str,
)  # fmt: skip
def test_a_bad_sweep_is_refused(texts):
    with pytest.raises(RequestError):
        sweep(*texts)


def test_too_many_combinations_are_refused():
    values = ",".join(str(number) for number in range(1, 101))
    with pytest.raises(RequestError, match="more than 1000"):
        sweep(f"iter={values}", f"warmup-iter={values}")
