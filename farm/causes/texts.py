"""Error texts of load_and_run, its libraries and the shell, and the cause that each stands for."""

from __future__ import annotations

from farm.causes.row import Row, row
from farm.errors import Fault
from farm.model.measurement import UNAVAILABLE, UNKNOWN_FLAG

USER, DEVICE, RUNTIME, FARM = Fault.USER, Fault.DEVICE, Fault.RUNTIME, Fault.FARM

LIBC_TOO_OLD = row(
    "libc-too-old",
    USER,
    r"version [`'](?P<name>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,12})' not found",
    "the program needs {name}; the device's system libraries are older",
    "build the program on an older system, or link it statically",
)

LIBRARY_FOREIGN = row(
    "wrong-architecture",
    USER,
    r"error while loading shared libraries: (?P<name>[^:\n]{1,200}): "
    r"(?:wrong ELF class|invalid ELF header|file too short|ELF file)"
    r"|Error loading shared library (?P<musl>[^:\n]{1,200}): Exec format error"
    r"|\"(?P<bionic>[^\"\n]{1,200})\" (?:is \d\d-bit instead of|has unexpected e_machine|has bad ELF magic)",
    "the library {name}{musl}{bionic} is damaged, or built for another architecture",
    "correct `libraries:` of the runtime; `farm devices check` shows the device's architecture",
)

RUN_BY_A_SHELL = r"\x7fELF[^\n]{0,200}not found|not executable: (?:\d\d-bit ELF|magic [0-9A-F]{4})"
"""A shell about a program that it took for a script, and mksh, which knows better: with any exit code."""

LOADER: tuple[Row, ...] = (
    LIBRARY_FOREIGN,
    row(
        "library-missing",
        USER,
        r"error while loading shared libraries: (?P<name>[^:\n]{1,200}): (?P<detail>.{1,200})",
        "shared library not found on the device: {name}",
        "add it to `libraries:` of the runtime in the inventory",
    ),
    row(
        "library-missing",
        USER,
        r"library \"(?P<name>[^\"\n]{1,200})\" not found"
        r"|Error loading shared library (?P<musl>[^:\n]{1,200}):",
        "shared library not found on the device: {name}{musl}",
        "add it to `libraries:` of the runtime in the inventory",
    ),
    LIBC_TOO_OLD,
    row(
        "wrong-architecture",
        USER,
        # bash, musl and the kernel; busybox and dash, which take it for a script
        r"[Ee]xec format error|cannot execute binary file"
        r"|[Ss]yntax error: (?:[^\n]{0,60}unexpected|[Uu]nterminated|[Bb]ad f|EOF in)"
        rf"|{RUN_BY_A_SHELL}",
        "the program is built for another architecture, or damaged",
        "`farm devices check` shows the device's architecture; use a program built for it",
    ),
    row(
        "not-executable",
        USER,
        r"[Pp]ermission denied",
        "permission denied: the program is not executable, or its folder is mounted noexec",
        "set `workdir:` of the device to a folder that is not mounted noexec",
    ),
    row(
        "python-missing",
        DEVICE,
        r"python[\d.]*: (?:inaccessible or )?(?:command )?not found|env: .{0,3}python",
        "Python not found on the device; the wheel runtime needs it",
        "install python3 on the device, or use the native runtime",
    ),
    row(
        "program-missing",
        USER,
        r"not found|No such file or directory",
        "the program or its dynamic loader was not found on the device",
        "check `program:` of the runtime in the inventory",
    ),
)
"""For exit codes 126 and 127: the program did not start."""

TEXTS: tuple[Row, ...] = (
    row(
        UNAVAILABLE,
        USER,
        # agents/wheel/load_and_run.py: exit code 69.
        r"load_and_run\.py: not available here: (?P<detail>.{1,300})",
        "not available on this device: {detail}",
        "`farm options show NAME` lists what an option needs",
    ),
    # the libraries of the wheel runtime
    row(
        "library-missing",
        USER,
        r"OSError: (?P<name>[^:\n]{1,200}): cannot open shared object file",
        "shared library of the runtime not found on the device: {name}",
        "install the package that contains it on the device",
    ),
    LIBC_TOO_OLD,
    LIBRARY_FOREIGN,
    row(
        "wrong-architecture",
        USER,
        RUN_BY_A_SHELL,
        "the program is built for another architecture, or damaged",
        "`farm devices check` shows the device's architecture; use a program built for it",
    ),
    row(
        "wrong-architecture",
        USER,
        r"OSError: [^\n]{1,300}: (?:invalid ELF header|wrong ELF class|file too short)",
        "the runtime's libraries are damaged, or built for another architecture",
        "the wheel is for x86-64 Linux with glibc; use a native build elsewhere",
    ),
    # the command line
    row(
        UNKNOWN_FLAG,
        USER,
        r"^ERROR: unknown command line flag '(?P<name>[^'\n]{1,100})'",
        "the program has no flag --{name}",
        "flags depend on the build; `farm options show NAME` lists what an option needs",
    ),
    row(
        "bad-value",
        USER,
        r"^ERROR: illegal value '(?P<value>[^'\n]{0,100})' specified for \w+ flag '(?P<name>[^'\n]{1,100})'",
        "invalid value for --{name}: {value!r}",
    ),
    row(
        "missing-value",
        USER,
        r"^ERROR: flag '-*(?P<name>[^'\n]{1,100})' is missing its argument",
        "--{name} needs a value",
    ),
    row(
        "option-conflict",
        USER,
        r"invalid options of both fast-run and full-run",
        "--fast-run and --full-run are mutually exclusive",
        "remove one",
    ),
    row(
        "option-conflict",
        USER,
        r"extra message: (?P<detail>--(?:fast-run|full-run|no-sanity|c-opr-lib|thread|layout)\S* .{1,200})",
        "conflicting options: {detail}",
    ),
    row(
        "option-conflict",
        USER,
        r"(?P<detail>core ids should be set after --multithread.{0,80}|core ids number should be same.{0,80}"
        r"|multithread and multithread_default should not.{0,80})",
        "conflicting options: {detail}",
    ),
    row(
        "not-with-lite",
        USER,
        r"(?:Error: |message: )(?P<detail>(?:lite model (?:dont't|don't) support|lite model unsupport"
        r"|[^\n]{0,80}?support(?:ed)? in lite model|unsupported interface: ModelLite)[^\n]{0,120})",
        "the option does not support Lite models: {detail}",
        "remove --lite, or use the wheel runtime",
    ),
    row(
        "not-with-lite",
        USER,
        r"(?P<detail>(?:use_tensorrt|set_runtime_thread_affinity) should be used \w{5,6} model loaded)",
        "the native program does not support this with --lite: {detail}",
        "remove --lite, or use the wheel runtime",
    ),
    row(
        "bad-value",
        USER,
        r"unsupported target\(got:(?P<value>[^)\n]{0,60})\) for global layout transform",
        "invalid target for --layout-transform: {value!r}",
        "use cpu or cuda",
    ),
    row("bad-value", USER, r"what\(\):\s+sto(?:ul|ull|i|l|d|f)\b", "an option's value is not a number"),
    row(
        "no-such-core",
        USER,
        r"invalid CPU ID: nr_cpu=(?P<count>\d{1,6}) id=(?P<id>-?\d{1,6})",
        "the device has no core {id} (it has {count} cores)",
        "`farm devices check` shows its cores",
    ),
    # the model
    row(
        "model-corrupt",
        USER,
        # file.cpp reads with `nr == size` from a disk (MDL), with `m_offset + size <= m_size` from memory.
        r"model verification failed|read model (?:file )?failed|assertion `m_offset(?: \+ size)? <= m_size'"
        r"|assertion `nr == size'[^\n]{0,300}InputFile",
        "the model file is empty, truncated or damaged",
        "compare its size with the original, and copy or dump it again",
    ),
    row(
        "model-format",
        USER,
        r"invalid model format|invalid format, please make sure model is dumped by GraphDumper"
        r"|When load multi param in one Operator",
        "the file is not a model that this MegEngine can read",
        "dump it with MegEngine 1.13 (`megengine.jit.trace.dump`)",
    ),
    row(
        "model-missing",
        USER,
        r"assertion `fin' failed.{0,300}?get_model_type[^\n]*\n"
        r"extra message: failed to open (?P<path>[^\n]{1,300}?):",
        "model file not found: {path}",
    ),
    row("model-missing", USER, r"basic_string::_S_construct null not valid", "no model was given"),
    # the inputs
    row(
        "input-name",
        USER,
        r"can't find tesnor named (?P<name>[^\n]{1,120})"
        r"|tensor name must be (?P<lite>[^\n]{1,120}?) input tensor name",
        "the model has no input {name}{lite}",
        "`--model-info` shows the names of the model's inputs",
    ),
    row(
        "input-dtype",
        USER,
        r"attempt to access dtype (?P<model>\w{1,40}) as (?P<data>\w{1,40})",
        "data type mismatch: the model's input is {model}, the data is {data}",
        "write numbers with a dot for float inputs, or convert the .npy",
    ),
    row(
        "input-dtype",
        USER,
        r"assertion `m_layout\.dtype\.valid\(\)'|unknown json data type for --input"
        r"|val\.dtype\(\) == ovar->dtype\(\)",
        "load_and_run does not support the data type of an input",
        "use float32, int32, int16, uint16, int8 or uint8",
    ),
    row(
        "input-missing",
        USER,
        r"io error: failed to open a file|open file (?P<path>[^\n]{1,200}?) failed for --input"
        r"|json_loader\.cpp[^\n]{0,200}\nextra message: failed to open (?P<json>[^\n]{1,200}?):",
        "file in --input not found: {path}{json}",
    ),
    row(
        "input-format",
        USER,
        r"this file does not have a valid npy format|unsupported file format version|not a formal ppm/pgm"
        r"|parse json (?P<path>[^\n]{1,200}?) fail|JSON error",
        "cannot read a file in --input: {path}",
        "use JSON, .npy (version 1), binary .ppm or .pgm",
    ),
    row(
        "input-format",
        USER,
        r"braces not closed for --input|parse value failed during pase array|parse json fail in parse_string",
        "cannot parse --input",
        "write it as NAME:[[1.0,2.0],[3.0,4.0]]",
    ),
    row(
        "input-shape",
        USER,
        r"(?P<detail>group conv channel mismatch[^\n:]{0,60}: [^\n.]{0,100})|assertion `src\.ndim >= 3_z'"
        r"|disallowed shape change|assertion `.{0,40}src\.ndim == 4",
        "the shape of an input does not match the model {detail}",
        "`--model-info` shows the shapes of the model's inputs",
    ),
    # the device
    row(
        "gpu-too-new",
        DEVICE,
        r"(?P<gpu>[^\n]{1,80}) with CUDA capability (?P<sm>sm_\d{2,3}) is not compatible",
        "{gpu} ({sm}) is too new for this MegEngine",
        "use a native build for this GPU, or --cpu",
    ),
    row(
        "gpu-too-new",
        DEVICE,
        r"TRT_INTERNAL_ERROR: Assertion failed: Unsupported SM",
        "the GPU is not supported by this MegEngine's TensorRT",
        "use a native build for this GPU",
    ),
    row(
        "no-gpu",
        DEVICE,
        r"request gpu\d+ out of valid range|cuda is not available|no CUDA-capable device",
        "the device has no GPU that MegEngine can use",
        "select devices with a GPU: --devices tag:cuda",
    ),
    row(
        "out-of-memory",
        DEVICE,
        r"std::bad_alloc|out of memory|failed to (?:alloc|allocate)\b|Cannot allocate memory|MemoryError",
        "the device ran out of memory",
    ),
    row(
        "disk-full",
        DEVICE,
        r"No space left on device",
        "the device's disk is full",
        "free space in the device's workdir",
    ),
    # options that a model or a build does not support
    row(
        "no-jit-compiler",
        RUNTIME,
        r"No compiler support for (?P<device>\w{1,20})",
        "this build has no JIT compiler for {device}",
        "remove --enable-jit",
    ),
    row(
        "layout-unsupported",
        RUNTIME,
        r"invalid conv format \d+",
        "no convolution kernel on the device supports this layout and this model",
        "use another --enable-... layout",
    ),
    row(
        "layout-unsupported",
        RUNTIME,
        r"expect input, scale and bias to be 4 dim tensor",
        "the layout does not support models whose batch normalisation is not folded",
        "add --optimize-for-inference, or dump the model with optimize_for_inference",
    ),
    row(
        "layout-unsupported",
        RUNTIME,
        r"assertion `layout_transform == (?:LayoutTransform::)?DEFAULT|assertion `!shape_changed'",
        "the layout does not support this model",
        "use a single layout, or a different one",
    ),
    row(
        "no-code-for-processor",
        RUNTIME,
        r"bad err=\d{1,4} in Xbyak::Error",
        "MKL-DNN in this build cannot generate code for this processor",
        "leave out --enable-nchw88 and --layout-transform here, or use a native build without MKL-DNN",
        hangs=True,  # the native program: a destructor waits for a thread that is gone
    ),
    row(
        "operator-library",
        USER,
        r"failed to open c opr lib [^\n:]{1,200}:\s{0,4}(?:errmsg: )?(?P<detail>[^\n]{1,300})",
        "cannot load the C operator library: {detail}",
        "build it as a shared library for the device, with all its dependencies",
    ),
    row(
        "operator-interface",
        USER,
        r"can not resolve (?P<name>\w{1,80})",
        "the C operator library was loaded, but has no function {name}",
        "`--c-opr-init-interface NAME` names its entry point; `nm -D FILE` lists its functions",
    ),
    row(
        "value-out-of-range",
        USER,
        r"float value out of range: (?P<detail>[^\n]{0,160})",
        "--range found a value out of range: {detail}",
    ),
    row(
        "value-changed",
        USER,
        r"Unequal value(?P<detail>[^\n]{0,120})",
        "a value differs from the expected one{detail}",
    ),
    row(
        "cache-corrupt",
        USER,
        r"infile_persistent_cache[^\n]{0,200}failed|assertion 'ret == 1'",
        "the algorithm cache cannot be read or written",
        "remove it and search again with --fast-run",
    ),
    row(
        "path-missing",
        FARM,
        r"failed to open (?P<path>[^\n:]{1,200}): "
        r"(?P<detail>No such file or directory|Permission denied|Is a directory)",
        "the program could not open {path}: {detail}",
    ),
    row("path-missing", FARM, r"log_dir format error", "the program rejected the folder name"),
    row(
        "recorded-sequence",
        RUNTIME,
        r"pure virtual method called|unsupported on RecordedComputingSequence",
        "a recorded sequence cannot be combined with options that inspect the graph",
        "remove --record-comp-seq from variants that dump or profile",
    ),
    row(
        "recorded-sequence",
        RUNTIME,
        r"assertion `m_hv->raw_ptr\(\) == m_ptr'",
        "the shape changed after the sequence was recorded",
        "remove --record-comp-seq2",
    ),
)
