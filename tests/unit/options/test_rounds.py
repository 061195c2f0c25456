import pytest

from farm.errors import RequestError
from farm.model.device import CoreCluster, Facts
from farm.model.matrix import RoundKind
from farm.options import CATALOGUE, argv, input_files, outputs, parse, resolve_cores, split_rounds

BIG = (("big", (4, 5, 6, 7)), ("little", (0, 1, 2, 3)))


def rounds(line):
    return [(kind, options.as_dict()) for kind, options in split_rounds(parse(line.split()))]


def words(line, **more):
    given = {"program": ("./lar",), "model": "m.mge", "input_text": None, "out_dir": "."} | more
    return argv(parse(line.split()), **given)


def test_without_observers_there_is_the_timed_round_alone():
    assert rounds("--iter 20 --fast-run") == [(RoundKind.TIMED, {"iter": 20, "fast-run": True})]


def test_every_observer_gets_a_round_of_its_own():
    assert rounds("--iter 20 --cpu --profile p.json --io-dump io.txt --model-info") == [
        (RoundKind.TIMED, {"iter": 20, "cpu": True}),
        (RoundKind.DUMP, {"iter": 1, "warmup-iter": 0, "cpu": True, "io-dump": "io.txt"}),
        (RoundKind.PROFILE, {"iter": 20, "cpu": True, "profile": "p.json"}),
        (RoundKind.INFO, {"iter": 1, "warmup-iter": 0, "cpu": True, "model-info": True}),
    ]


@pytest.mark.parametrize("row", [row for row in CATALOGUE if not row.is_timed], ids=lambda row: row.name)
def test_nothing_that_disturbs_is_in_the_timed_round(row):
    value = True if row.is_flag else {"choice": "AES_default", "float": 5}.get(row.kind, "1")
    options = parse([f"--{row.name}={value}" if value is not True else f"--{row.name}", "--cpu"])
    (timed, timed_options), (kind, own) = split_rounds(options)
    assert (timed, kind) == (RoundKind.TIMED, row.round_kind)
    assert timed_options.as_dict() == {"cpu": True}
    assert row.name in own
    assert "cpu" in own


def test_what_belongs_together_shares_a_round():
    found = rounds(
        "--packed-model-dump p.mge --pack-cache f --pack-info-json i.json --fitting --dump-fitting-model b.mge"
    )
    assert [set(options) - {"iter"} for _, options in found] == [
        set(),
        {"packed-model-dump", "pack-cache", "pack-info-json"},
        {"dump-fitting-model", "fitting"},
    ]


def test_a_dump_after_a_first_run_without_computing_has_a_second():
    assert rounds("--fake-first --io-dump io.txt")[1][1]["iter"] == 1
    assert "warmup-iter" not in rounds("--fake-first --io-dump io.txt")[1][1]
    assert rounds("--io-dump io.txt")[1][1]["warmup-iter"] == 0


def test_a_command_has_the_model_first_and_the_real_flags():
    line = "--iter 20 --enable_nchw44_dot --enbale-jit --multithread 2 --multi-thread-core-ids 0,1 --range 5"
    assert words(line) == (
        "./lar",
        "m.mge",
        "--iter=20",
        "--enable-nchw44-dot",
        "--enable-jit",
        "--multithread=2",
        "--multi-thread-core-ids=0,1",
        "--range=5.0",
    )


def test_the_input_text_of_the_device_takes_the_place_of_the_users():
    assert words("--input data:x.npy", input_text="data:/spool/x.npy")[-1] == "--input=data:/spool/x.npy"
    assert words("--input data:[1.0]")[-1] == "--input=data:[1.0]"


def test_paths_are_rewritten_into_the_output_folder():
    assert words("--profile /home/me/p.json", out_dir="{job}/out")[-1] == "--profile={job}/out/p.json"
    assert words("--bin-io-dump ../../etc/", out_dir="out/")[-1] == "--bin-io-dump=out/etc"


def test_the_folder_of_the_memory_plan_is_letters_and_digits_below_the_current_folder():
    for typed, sent in (
        ("mem_info.d", "meminfod"),
        ("/a/b", "staticmem"),
        ("x", "staticmem"),
        ("statics", "statics"),
    ):
        assert (
            words(f"--get-static-mem-info {typed}", out_dir="/spool/out")[-1]
            == f"--get-static-mem-info={sent}"
        )
        assert outputs(parse(["--get-static-mem-info", typed]))[0].path == sent


def test_files_that_are_read_get_the_path_on_the_device():
    line = "--c-opr-lib libs/my.so --fast-run-algo-policy f.cache"
    sent = words(line, inputs={"c-opr-lib": "/store/my.so"})
    assert "--c-opr-lib=/store/my.so" in sent
    assert "--fast-run-algo-policy=./f.cache" in sent
    assert "--fast-run-algo-policy=in/f" in words(line, inputs={"fast-run-algo-policy": "in/f"})


def test_what_no_program_has_cannot_become_a_command():
    with pytest.raises(RequestError, match="rocm"):
        words("--rocm")


def test_outputs_have_roles_and_say_what_is_a_folder():
    options = parse(
        [
            "--profile",
            "a/p.json",
            "--bin-out-dump",
            "d",
            "--fast-run",
            "--fast-run-algo-policy",
            "f",
            "--tensorrt-cache",
            "t",
            "--model-dump",
            "m",
        ]
    )
    assert [(one.option, one.role, one.path, one.is_directory) for one in outputs(options)] == [
        ("fast-run-algo-policy", "fast-run-cache", "f", False),
        ("bin-out-dump", "bin-out-dump", "d", True),
        ("tensorrt-cache", "tensorrt-cache", "t", False),
        ("profile", "profile", "p.json", False),
        ("model-dump", "model-dump", "m", False),
    ]


@pytest.mark.parametrize(
    "typed",
    [
        "../../x",
        "/",
        "..",
        ".",
        "-rf",
        "a b;c",
        "$(reboot)",
        "x\ny",
        "~",
        "名.json",
        "a" * 500,
        "C:\\p.json",
        "./.hidden",
    ],
)
def test_an_output_never_leaves_its_folder(typed):
    for name in ("profile", "bin-io-dump", "get-static-mem-info"):
        (output,) = outputs(parse([f"--{name}={typed}"]))
        assert output.path.isascii()
        assert output.path.strip(".-")
        assert not set(output.path) & set("/\\ ;$()\n~")
        assert not output.path.startswith((".", "-"))
        assert len(output.path) <= 80


def test_two_outputs_of_one_name_do_not_meet():
    paths = [
        one.path
        for one in outputs(
            parse(["--profile", "out/a", "--bin-io-dump", "a", "--layout-transform-dump", "x/a"])
        )
    ]
    assert len(set(paths)) == 3


def test_a_cache_is_read_if_it_is_there_and_must_be_where_nothing_searches():
    policy = ["--fast-run-algo-policy", "f.cache"]
    assert input_files(parse(policy)) == (("fast-run-algo-policy", "f.cache"),)
    assert input_files(parse([*policy, "--fast-run"])) == ()
    assert input_files(parse([*policy, "--fast-run"]), exists=lambda path: path == "f.cache") == (
        ("fast-run-algo-policy", "f.cache"),
    )
    assert input_files(parse(["--tensorrt-cache", "t"])) == ()
    assert input_files(parse(["--c-opr-lib", "a.so", "--packed-model-dump", "p", "--pack-cache", "c"])) == (
        ("c-opr-lib", "a.so"),
        ("pack-cache", "c"),
    )


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("--multithread 4 --multi-thread-core-ids big", "4,5,6,7"),
        ("--multithread 2 --multi-thread-core-ids big", "4,5"),
        ("--multithread 2 --multi-thread-core-ids 0,1", "0,1"),
        ("--multithread 5 --multi-thread-core-ids 0,big", "0,4,5,6,7"),
        ("--multithread 6 --multi-thread-core-ids big,little", "4,5,6,7,0,1"),
    ],
)
def test_a_core_label_becomes_ids(line, ids):
    assert resolve_cores(parse(line.split()), BIG).as_dict()["multi-thread-core-ids"] == ids


def test_a_label_that_the_device_has_not_names_those_that_it_has():
    with pytest.raises(RequestError, match="big, little"):
        resolve_cores(parse(["--multithread", "2", "--multi-thread-core-ids", "huge"]), BIG)


def test_a_label_with_too_few_cores_is_refused():
    with pytest.raises(RequestError, match="5 threads, but 4 core ids"):
        resolve_cores(parse(["--multithread", "5", "--multi-thread-core-ids", "big"]), BIG)


def test_options_without_cores_stay_as_they_are():
    options = parse(["--multithread", "4"])
    assert resolve_cores(options, BIG) is options


KINDS = Facts(
    core_ids=tuple(range(8)),
    clusters=(CoreCluster((0, 1, 2, 3)), CoreCluster((4, 5, 6)), CoreCluster((7,))),
)


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("--multithread 1 --multi-thread-core-ids big", "7"),
        ("--multithread 3 --multi-thread-core-ids mid", "4,5,6"),
        ("--multithread 2 --multi-thread-core-ids little", "0,1"),
        ("--multithread 4 --multi-thread-core-ids big,mid", "7,4,5,6"),
        ("--multithread 8 --multi-thread-core-ids all", "0,1,2,3,4,5,6,7"),
    ],
)
def test_kinds_of_cores_have_names_without_an_inventory_once_the_device_is_known(line, ids):
    options = parse(line.split())
    assert resolve_cores(options, ()) is options
    assert resolve_cores(options, (), KINDS).as_dict()["multi-thread-core-ids"] == ids


def test_a_label_of_the_inventory_counts_more_than_the_kind_of_the_same_name():
    options = parse(["--multithread", "2", "--multi-thread-core-ids", "big"])
    assert resolve_cores(options, BIG, KINDS).as_dict()["multi-thread-core-ids"] == "4,5"


@pytest.mark.parametrize(
    ("name", "threads", "facts", "why"),
    [
        ("big", 1, Facts(), "does not say which of its cores are of one kind"),
        ("all", 1, Facts(), "does not say which cores it has"),
        ("little", 1, Facts(clusters=KINDS.clusters[:1]), "one kind of core"),
        ("mid", 1, Facts(clusters=KINDS.clusters[:2]), "two kinds of core"),
        ("big", 2, KINDS, r"2 threads, but 1 core ids \(big: 7\)"),
    ],
)
def test_a_kind_that_a_device_has_not_is_refused_with_the_reason(name, threads, facts, why):
    options = parse(f"--multithread {threads} --multi-thread-core-ids {name}".split())
    with pytest.raises(RequestError, match=why):
        resolve_cores(options, (), facts)
