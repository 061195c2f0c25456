"""Suite files become models, variants and rules; conditions are true, false, or for the device to say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from farm.errors import RequestError
from farm.inventory import conditions, suite
from farm.model.device import Address, Device, Facts, Gpu, Runtime, RuntimeKind
from farm.model.options import OptionSet
from farm.model.outputs import Check, Tolerance
from farm.model.request import Suite
from farm.plan import rules
from farm.plan.models import read_models
from farm.plan.request import Arguments, read_request

REPOSITORY = Path(__file__).parents[3]

ARM = Device(
    "arm-1", Address("arm-1"), Runtime(RuntimeKind.NATIVE, "p"), tags=("arm64",), groups=("arm",),
    attributes=(("soc", "rk3588"),),
)  # fmt: skip
GPU = Device("gpu-1", Address("gpu-1"), Runtime(RuntimeKind.WHEEL), tags=("cuda",), groups=("gpu",))

ARM_FACTS = Facts(
    architecture="aarch64", system="Linux", cpu_model="Cortex-A76", cpu_features=("asimd", "asimddp"),
    core_ids=(0, 1, 2, 3), memory_bytes=8 * 2**30,
)  # fmt: skip
GPU_FACTS = Facts(
    architecture="x86_64", core_ids=tuple(range(16)), gpus=(Gpu("Tesla T4", compute_capability="7.5"), Gpu("odd", compute_capability="?")),
)  # fmt: skip


@pytest.fixture
def nightly(tmp_path, monkeypatch):
    """Writes a suite into an empty current folder that has a model file, m.mge."""
    monkeypatch.chdir(tmp_path)
    Path("m.mge").write_bytes(b"x")

    def write(text: str) -> Path:
        path = Path("nightly.yaml")
        path.write_text(text, "utf-8")
        return path

    return write


def options(found: Suite) -> dict[str, dict]:
    return {variant.name: variant.options.as_dict() for variant in found.variants}


# --------------------------------------------------------------------------- what a file means


def test_a_suite_says_what_outputs_should_be(nightly, tmp_path):
    Path("golden").mkdir()
    found = suite.load(
        nightly("""\
check: outputs
tolerance: [1e-2, "float32=1e-4,1e-6"]
models: {m: {file: m.mge, golden: golden}}
""")
    )
    assert found.models[0].golden == tmp_path / "golden"
    request = read_request(Arguments(suite=found.path))
    assert request.check is Check.OUTPUTS
    assert request.tolerances == (Tolerance("*", 1e-2, 0), Tolerance("float32", 1e-4, 1e-6))
    given = Arguments(suite=found.path, check="off", tolerances=("0.1",))
    assert (read_request(given).check, read_request(given).tolerances) == (
        Check.OFF,
        (Tolerance("*", 0.1, 0),),
    )


def test_mistakes_about_outputs_are_told_with_their_lines(nightly):
    path = nightly("""\
check: everything
tolerance: nan
models:
  m:
    file: m.mge
    golden: gone.npy
""")
    with pytest.raises(RequestError) as caught:
        suite.load(path)
    text = str(caught.value)
    assert "nightly.yaml:1: check: --check everything: unknown" in text
    assert "nightly.yaml:2: tolerance: --tolerance nan" in text
    assert re.search(r"nightly.yaml:6: model m, golden: no such file: .*gone.npy", text)
    assert suite.load(nightly("check: off\nmodels: {m: m.mge}\n")).check is Check.OFF


def test_a_suite_names_models_by_file_or_as_bundled(nightly, tmp_path):
    Path("in.npy").write_bytes(b"x")
    found = suite.load(
        nightly("""\
devices: [arm-*, '!arm-3']
rounds: 7
options: {iter: 20}
models:
  a: m.mge
  b: {file: m.mge, input: 'data:in.npy;w:[1,2]', when: 'tag:cuda'}
  c: bundled:tiny
""")
    )
    a, b, c = found.models
    assert (found.devices, found.rounds, found.options.as_dict()) == ("arm-*,!arm-3", 7, {"iter": 20})
    assert (a.file, a.bundled, a.input, a.when) == (tmp_path / "m.mge", None, None, ())
    assert b.input == f"data:{tmp_path}/in.npy;w:[1,2]"
    assert b.source == "nightly.yaml:6"
    assert [condition.text for condition in b.when] == ["tag:cuda"]
    assert (c.file, c.bundled) == (None, "tiny")
    assert found.variants == ()


def test_variants_are_command_lines_or_mappings(nightly):
    found = suite.load(
        nightly("""\
models: {a: m.mge}
variants:
  fp32:
  nchw88: --enable-nchw88 --iter 5
  4 threads on big cores: {multithread: 2, multi-thread-core-ids: [4, 5], when: arch == aarch64}
""")
    )
    assert options(found) == {
        "fp32": {},
        "nchw88": {"enable-nchw88": True, "iter": 5},
        "4 threads on big cores": {"multithread": 2, "multi-thread-core-ids": "4,5"},
    }
    assert [condition.text for condition in found.variants[2].when] == ["arch == aarch64"]


def test_every_variant_is_swept_over_every_combination(nightly):
    found = suite.load(
        nightly(
            "models: {a: m.mge}\nvariants: {f: '', j: --enable-jit}\nsweep: {multithread: [1, 2], layout: [nchw44, default]}\n"
        )
    )
    assert options(found) == {
        "f, multithread=1, layout=nchw44": {"multithread": 1, "enable-nchw44": True},
        "f, multithread=1, layout=default": {"multithread": 1},
        "f, multithread=2, layout=nchw44": {"multithread": 2, "enable-nchw44": True},
        "f, multithread=2, layout=default": {"multithread": 2},
        "j, multithread=1, layout=nchw44": {"enable-jit": True, "multithread": 1, "enable-nchw44": True},
        "j, multithread=1, layout=default": {"enable-jit": True, "multithread": 1},
        "j, multithread=2, layout=nchw44": {"enable-jit": True, "multithread": 2, "enable-nchw44": True},
        "j, multithread=2, layout=default": {"enable-jit": True, "multithread": 2},
    }
    assert {variant.base for variant in found.variants} == {"f", "j"}


def test_a_sweep_alone_makes_the_variants(nightly):
    assert options(suite.load(nightly("models: {a: m.mge}\nsweep: {multithread: [1, 2]}"))) == {
        "multithread=1": {"multithread": 1},
        "multithread=2": {"multithread": 2},
    }


def test_a_suite_becomes_models_and_variants_with_the_command_line_between_its_own_options(nightly):
    path = nightly(
        "models: {t: bundled:tiny}\noptions: {iter: 20, warmup-iter: 3}\nvariants: {a: '', b: {iter: 7}}\n"
    )
    request = read_request(Arguments(suite=path, options=OptionSet((("iter", 5),))))
    assert [model.name for model in request.models] == ["t"]
    assert [(variant.name, variant.options.as_dict()) for variant in request.variants] == [
        ("a", {"iter": 5, "warmup-iter": 3}),
        ("b", {"iter": 7, "warmup-iter": 3}),
    ]


def test_a_file_that_is_no_model_is_told_with_the_line_of_the_suite(nightly):
    with pytest.raises(RequestError) as caught:
        read_models(read_request(Arguments(suite=nightly("models:\n  a: m.mge\n"))).models)
    assert str(caught.value).startswith("nightly.yaml:2: model a: ")


# --------------------------------------------------------------------------- rules

RULES = """\
models: {a: m.mge, b: {file: m.mge, when: 'runtime:wheel'}}
variants: {f: '', dot: {enable-nchw44-dot: true, when: 'feature:dotprod'}, cuda: --cuda}
include:
  - {device: 'arm-*', variant: [f, dot]}
  - tag:cuda
exclude:
  - {when: cores < 8, model: b, reason: too slow there}
  - {variant: cuda, when: not compute_capability >= 7 and model:a}
"""


@pytest.mark.parametrize(
    ("device", "facts", "cell", "reason"),
    [
        (ARM, None, ("a", "f"), None),
        (ARM, None, ("a", "dot"), None),
        (ARM, ARM_FACTS, ("a", "dot"), None),
        (ARM, replace(ARM_FACTS, cpu_features=("asimd",)), ("a", "dot"), "dot is only for feature:dotprod (nightly.yaml:2)"),
        (ARM, None, ("a", "cuda"), "no include rule of nightly.yaml matches"),
        (ARM, None, ("b", "f"), "b is only for runtime:wheel (nightly.yaml:1)"),
        (GPU, None, ("b", "f"), None),
        (GPU, replace(GPU_FACTS, core_ids=(0, 1)), ("b", "f"), "too slow there"),
        (GPU, GPU_FACTS, ("a", "cuda"), None),
        (GPU, replace(GPU_FACTS, gpus=(Gpu("K80", compute_capability="3.7"),)), ("a", "cuda"),
         "excluded by variant:cuda and not compute_capability >= 7 and model:a (nightly.yaml:8)"),
    ],
)  # fmt: skip
def test_rules_say_why_a_cell_is_not_wanted(nightly, device, facts, cell, reason):
    found = suite.load(nightly(RULES))
    assert rules.unwanted(found.rules, device, facts, model=cell[0], variant=cell[1]) == reason


def test_a_rule_for_a_variant_means_what_was_swept_from_it(nightly):
    found = suite.load(
        nightly(
            "models: {a: m.mge}\nvariants: {f: '', g: ''}\nsweep: {multithread: [1, 2]}\nexclude: [{variant: f}, {variant: '*=2'}]\n"
        )
    )
    wanted = [
        variant.name
        for variant in found.variants
        if rules.unwanted(found.rules, ARM, None, model="a", variant=variant.name) is None
    ]
    assert wanted == ["g, multithread=1"]


# --------------------------------------------------------------------------- conditions

TRUE_OF_ARM = [
    "tag:arm64", "tag:arm*", "@arm", "group:arm", "device: arm-*", "device == arm-1", "runtime == native", "soc=rk3588",
    "soc=rk*", "arch == aarch64", "arch == arm64", "arch:ARM64", "arch != x86_64", "system == linux", "cpu:*a76",
    "feature:dotprod", "feature:asimddp", "cores >= 4", "cores == 4", "cores<5", "memory_gb > 7.5", "gpus == 0",
    "not tag:cuda", "!tag:cuda", "! gpu:*", "tag:arm64 and cores >= 4", "model:m*", "variant == v",
]  # fmt: skip
FALSE_OF_ARM = [
    "tag:arm", "@gpu", "device:arm", "soc=rk", "abi=x", "arch == x86_64", "feature:avx2", "cores > 4", "cores != 4",
    "gpus >= 1", "not cores >= 4", "tag:arm64 and cores >= 5", "model:x", "gpu:*",
]  # fmt: skip
FOR_THE_DEVICE = [
    "arch == aarch64",
    "not arch == aarch64",
    "cores >= 4",
    "feature:dotprod",
    "gpus >= 1",
    "gpu:*",
    "libc == musl",
]


def holds(text: str, device: Device, facts: Facts | None) -> bool | None:
    return rules.all_apply(conditions.parse(text), device, facts, model="m1", variant=("v, x=1", "v"))


@pytest.mark.parametrize("text", TRUE_OF_ARM)
def test_a_condition_holds(text):
    assert holds(text, ARM, ARM_FACTS) is True


@pytest.mark.parametrize("text", FALSE_OF_ARM)
def test_a_condition_does_not_hold(text):
    assert holds(text, ARM, ARM_FACTS) is False


@pytest.mark.parametrize("text", FOR_THE_DEVICE)
def test_what_only_the_device_can_say_is_neither_true_nor_false(text):
    assert holds(text, ARM, None) is None


def test_a_device_that_does_not_say_decides_nothing():
    assert [
        holds(text, ARM, Facts()) for text in ("arch == aarch64", "cores >= 1", "feature:x", "memory_gb > 1")
    ] == [None] * 4


def test_one_false_condition_is_enough():
    assert holds("cores >= 4 and tag:cuda", ARM, None) is False
    assert holds("cores >= 4 and tag:arm64", ARM, None) is None


def test_the_best_accelerator_counts_and_nonsense_from_a_device_does_not():
    assert holds("compute_capability >= 7.5", GPU, GPU_FACTS) is True
    assert holds("compute_capability >= 8", GPU, GPU_FACTS) is False
    assert (
        holds("compute_capability >= 8", GPU, replace(GPU_FACTS, gpus=(Gpu("x", compute_capability="nan"),)))
        is None
    )


@given(st.sampled_from(TRUE_OF_ARM + FALSE_OF_ARM), st.sampled_from([ARM_FACTS, None, Facts()]))
def test_negation_swaps_true_and_false_and_leaves_the_rest(text, facts):
    if " and " in text or text.startswith(("not", "!")):
        return
    found = holds(text, ARM, facts)
    assert holds(f"not {text}", ARM, facts) is (None if found is None else not found)


@given(st.text(max_size=20) | st.text(alphabet="tag:coresarch=<>!@ 48not and*", max_size=30))
def test_any_text_is_a_condition_or_a_request_error(text):
    try:
        parsed = conditions.parse(text)
    except RequestError:
        return
    assert rules.all_apply(parsed, ARM, ARM_FACTS, model="m", variant=("v",)) in (True, False, None)


# --------------------------------------------------------------------------- what is wrong, in exact words

MISTAKES = [
    ("rounds: 3", "nightly.yaml:1: models: is missing"),
    ("models:", "nightly.yaml:1: models: is empty: define at least one model"),
    ("models: [a]", 'nightly.yaml:1: models: should be a mapping of "key: value"'),
    ("models: {a: m.mge}\nround: 1", "nightly.yaml:2: round: unknown key (did you mean rounds?)"),
    ("models: {a: m.mge}\nrounds: 0", "nightly.yaml:2: rounds: '0' is not a number from 1 to 1000, nor auto; 10, or auto"),
    ("models:\n  a: x.mge", "nightly.yaml:2: model a, file: no such file: {here}/x.mge"),
    ("models:\n  a: {}", "nightly.yaml:2: model a: requires either file (a path) or bundled (a name)"),
    ("models:\n  a: {fil: m.mge}", "nightly.yaml:2: model a, fil: unknown key (did you mean file?)"),
    ("models:\n  a/b: m.mge", (
        "nightly.yaml:2: model a/b: not a name: letters, digits and . _ -, at most 64, the first a letter or digit"
    )),
    ("models:\n  a: {file: m.mge, input: x.npy}", "nightly.yaml:2: model a, input: no such file: {here}/x.npy"),
    ("models: {a: m.mge}\nvariants:\n  v: [1]",
     "nightly.yaml:3: variant v: should be a command line or a mapping of options"),
    ("models: {a: m.mge}\nvariants:\n  v: \"--iter '5\"", "nightly.yaml:3: variant v: no closing quotation"),
    ("models: {a: m.mge}\nsweep:\n  multithread: 4", "nightly.yaml:3: sweep.multithread: should be a list of values"),
    ("models: {a: m.mge}\nsweep:\n  multithread: ['1,2']",
     "nightly.yaml:3: sweep.multithread: values with a comma cannot be swept; write variants instead"),
    ("models: {a: m.mge}\nexclude: tag:cuda", "nightly.yaml:2: exclude: should be a list"),
    ("models: {a: m.mge}\nexclude:\n- {reason: x}", (
        "nightly.yaml:3: exclude rule 1: requires when, device, model or variant: without them it matches every cell"
    )),
    ("models: {a: m.mge}\nexclude:\n- {modle: a}", "nightly.yaml:3: exclude rule 1, modle: unknown key (did you mean model?)"),
    ("models: {res: m.mge}\nexclude:\n- tag:x\n- {model: rse}",
     'nightly.yaml:4: exclude rule 2, model: no model matches "rse" (did you mean res?)'),
    ("models: {a: m.mge}\nvariants: {fp32: ''}\ninclude:\n- {variant: pf32*}",
     'nightly.yaml:4: include rule 1, variant: no variant matches "pf32*" (did you mean fp32?)'),
    ("models: {a: m.mge}\nexclude:\n- when: [{a: b}]",
     "nightly.yaml:3: exclude rule 1, when: should be a condition or a list of conditions"),
    ("models: {a: m.mge}\nexclude:\n- tagg:cuda",
     'nightly.yaml:3: exclude rule 1, when: "tagg:cuda": unknown subject "tagg:" (did you mean tag?)'),
    ("models: {a: m.mge}\nexclude:\n- archh == arm64",
     'nightly.yaml:3: exclude rule 1, when: "archh == arm64": unknown fact "archh" (did you mean arch?)'),
    ("models: {a: m.mge}\nexclude:\n- zzz == rk3588", (
        'nightly.yaml:3: exclude rule 1, when: "zzz == rk3588": unknown fact "zzz"; '
        'for an attribute of the inventory write "zzz=rk3588"'
    )),
    ("models: {a: m.mge}\nexclude:\n- cores >= four",
     'nightly.yaml:3: exclude rule 1, when: "cores >= four": "four" is not a number'),
    ("models: {a: m.mge}\nexclude:\n- arch > 3",
     'nightly.yaml:3: exclude rule 1, when: "arch > 3": arch is text; use == or !='),
    ("models: {a: m.mge}\nexclude:\n- cuda", (
        'nightly.yaml:3: exclude rule 1, when: "cuda" is not a condition; examples: '
        "tag:cuda, @group, soc=rk3588, device:arm-*, feature:dotprod, arch == aarch64, cores >= 4"
    )),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_told_with_file_and_line_and_the_nearest_correct_name(nightly, tmp_path, text, message):
    with pytest.raises(RequestError) as caught:
        suite.load(nightly(text))
    assert str(caught.value) == message.replace("{here}", str(tmp_path))


def test_every_wrong_option_is_told_with_its_line(nightly):
    with pytest.raises(RequestError) as caught:
        suite.load(
            nightly("""\
models: {a: m.mge}
options: --itr 5
variants:
  v:
    multithread: two
    enable-nchwww: true
  w: {}
sweep:
  warmup-itr: [1]
""")
        )
    places = [line.split(": ")[:2] for line in str(caught.value).splitlines()]
    assert places == [
        ["nightly.yaml:2", "options"],
        ["nightly.yaml:5", "variant v, multithread"],
        ["nightly.yaml:6", "variant v, enable-nchwww"],
        ["nightly.yaml:9", "sweep.warmup-itr"],
    ]


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.sampled_from(["tag:x", "m.mge", "--iter 5"]),
)
KEYS = st.sampled_from(
    [*suite.SuiteFile.model_fields, "when", "file", "input", "iter", "multithread", "layout", "x", "variant"]
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@pytest.mark.no_cover
@given(data=st.dictionaries(KEYS, TREES, max_size=5))
def test_any_shape_of_data_gives_a_suite_or_a_request_error(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(json.dumps(data), "utf-8")
    try:
        found = suite.load(path)
    except RequestError as error:
        lines = str(error).splitlines()
    else:
        lines = []
        assert found.models
    assert all(line.startswith(f"{path}:1: ") for line in lines)


# --------------------------------------------------------------------------- what is in the repository


def test_the_schema_in_docs_is_the_one_of_the_code():
    written = json.loads((REPOSITORY / "docs/schema/suite.schema.json").read_text("utf-8"))
    assert written == suite.schema()


def test_the_example_in_the_documentation_loads(nightly):
    (example,) = re.findall(
        r"```yaml\n(.*?)```", (REPOSITORY / "docs/suites.md").read_text("utf-8"), re.DOTALL
    )
    request = read_request(Arguments(suite=nightly(example)))
    assert (len(request.models), len(request.variants)) == (2, 12)


def test_the_example_suite_loads_and_fits_the_schema():
    path = REPOSITORY / "inventory/nightly.yaml"
    jsonschema.validate(YAML(typ="safe", pure=True).load(path), suite.schema())
    request = read_request(Arguments(suite=path))
    assert request.models
    assert request.variants
