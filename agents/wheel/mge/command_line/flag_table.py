"""The flags of load_and_run 1.13: names, types, defaults and descriptions as its own `--help` prints them."""

from typing import Tuple

Row = Tuple[str, str, str, str]

# file of the C++ program that defines the flags -> (name, type, default, description)
FLAGS: Tuple[Tuple[str, Tuple[Row, ...]], ...] = (
    (
        "models/model",
        (
            ("lite", "bool", "false", "use megengine lite interface to run model"),
            ("mdl", "bool", "false", "use megengine mdl interface to run model"),
        ),
    ),
    (
        "options/device_options",
        (
            ("cpu", "bool", "false", "set CPU device as running device"),
            ("cpu_default", "bool", "false", "set running device as CPU device with inplace mode"),
            ("cuda", "bool", "false", "set CUDA device as running device "),
            ("multi_thread_core_ids", "string", "", "set multithread core id"),
            ("multithread", "int32", "-1", "set multithread device as running device"),
            (
                "multithread_default",
                "int32",
                "-1",
                "set multithread device as running device with inplace mode",
            ),
        ),
    ),
    ("options/dtype_options", (("enable_ioc16", "bool", "false", "enable fp16 dtype optimization!!"),)),
    (
        "options/extern_c_opr_options",
        (
            (
                "c_opr_init_interface",
                "string",
                "mgb_c_opr_init",
                "set the C_OPR_INIT_FUNC interface when running",
            ),
            (
                "c_opr_lib",
                "string",
                "",
                (
                    "Load external operator library. It must implement MGB_C_OPR_INIT_FUNC_STR as the entry "
                    "point"
                ),
            ),
            (
                "c_opr_lib_with_param",
                "bool",
                "false",
                (
                    "Run c opr lib with param, use to benchmark speed and check result, need c opr loader "
                    "implemente `copr_param_device_ptr_malloc, copr_param_device_ptr_free and "
                    "copr_param_device_ptr_h2d' symbols"
                ),
            ),
        ),
    ),
    (
        "options/fastrun_options",
        (
            (
                "binary_equal_between_batch",
                "bool",
                "false",
                (
                    "Each batch of output is promised binary equal if each batch of input is binary equal\n "
                    "Note that if this option is turned on, `--reproducible` will also be turned on."
                ),
            ),
            ("fast_run", "bool", "false", "whether to use fast-run in model run"),
            ("fast_run_algo_policy", "string", "", "fast-run cache path."),
            ("fast_run_shared_batch_size", "int32", "0", "Set the batch size used during fastrun"),
            ("full_run", "bool", "false", "whether to use full-run in model run"),
            (
                "reproducible",
                "bool",
                "false",
                (
                    "Enable choose algo which is reproducible. It mainly used for cudnn algos.See "
                    "https://docs.nvidia.com/deeplearning/sdk/cudnn-developer-guide/index.html"
                    "#reproducibilityfor "
                    "more details."
                ),
            ),
        ),
    ),
    (
        "options/io_options",
        (
            (
                "batch_size",
                "int32",
                "-1",
                (
                    "set the batch size of input(especially for global layout transform optimization working "
                    "on)"
                ),
            ),
            (
                "bin_io_dump",
                "string",
                "",
                "set the io dump directory path where variable in binary format located",
            ),
            (
                "bin_out_dump",
                "string",
                "",
                "set the out dump directory path where output variable in binary format located",
            ),
            ("copy_to_host", "bool", "false", "copy device data to host"),
            ("input", "string", "", "Set up inputs data for model --input [ file_path | data_string]"),
            ("io_dump", "string", "", "set the io dump file path in text format"),
            ("io_dump_stderr", "bool", "false", "dump io opr to stderr in text format"),
            ("io_dump_stdout", "bool", "false", "dump io opr to stdout in text format"),
        ),
    ),
    (
        "options/layout_options",
        (
            ("enable_chwn4", "bool", "false", "enable chwn4 layout optimization!!"),
            ("enable_nchw32", "bool", "false", "enable nchw32 layout optimization!!"),
            ("enable_nchw4", "bool", "false", "enable nchw4 layout optimization!!"),
            ("enable_nchw44", "bool", "false", "enable nchw44 layout optimization!!"),
            ("enable_nchw44_dot", "bool", "false", "enable nchw444-dot layout optimization!!"),
            ("enable_nchw64", "bool", "false", "enable nchw64 layout optimization!!"),
            ("enable_nchw88", "bool", "false", "enable nchw88 layout optimization!!"),
            ("enable_nhwcd4", "bool", "false", "enable nhwcd4 layout optimization!!"),
        ),
    ),
    (
        "options/layout_trans_options",
        (
            (
                "layout_transform",
                "string",
                "",
                (
                    "Enable global layout transform optimization for computing graph. User should specify "
                    "the device target for the optimization, and a series of passes will be applied on the "
                    "computing graph. The passes will benchmark the elapsed time of operators on different "
                    "tensor layouts, and select fastest implementation for the operators. The optimization "
                    "process will take some time. The default target is unspec, which all the available for "
                    "operators will be profiled. So the optimize time will be longer."
                ),
            ),
            (
                "layout_transform_dump",
                "string",
                "",
                "The computing graph after global layout transform will be dumped to the given file path.",
            ),
        ),
    ),
    (
        "options/model_options",
        (
            ("model_dump", "string", "", "The output file path of raw model."),
            ("pack_cache", "string", "", "Pack the fastrun cache or algo policy into the model."),
            (
                "pack_info_cryption",
                "string",
                "NONE",
                (
                    "The info data encryption method name, this is used to find the right decryption method. "
                    "--pack-info-cryption [ AES_default | RC4_default | SIMPLE_FAST_RC4_default ], default "
                    "is NONE. See "
                    "https://megengine.megvii-inc.com/user-guide/deployment/lite/advance/"
                    "pack-lite-model.html "
                    "for more details."
                ),
            ),
            (
                "pack_info_json",
                "string",
                "",
                "An encrypted or not encrypted json format file to pack into the model.",
            ),
            (
                "pack_model_cryption",
                "string",
                "NONE",
                (
                    "The model encryption method name, this is used to find the right decryption method. "
                    "--pack-model-cryption [ AES_default | RC4_default | SIMPLE_FAST_RC4_default ], default "
                    "is NONE. See "
                    "https://megengine.megvii-inc.com/user-guide/deployment/lite/advance/"
                    "pack-lite-model.html "
                    "for more details."
                ),
            ),
            ("packed_model_dump", "string", "", "The output file path of packed model."),
        ),
    ),
    (
        "options/optimize_options",
        (
            (
                "const_shape",
                "bool",
                "false",
                (
                    "set const_var_shape to reduce memory usage, since some static inference data structures "
                    "can be omitted"
                ),
            ),
            ("disable_mem_opt", "bool", "false", "disable memory optimization!!"),
            ("enable_fuse_conv_bias_nonlinearity", "bool", "false", "whether to fuse conv+bias+nonlinearity"),
            (
                "enable_fuse_conv_bias_with_z",
                "bool",
                "false",
                "fuse conv, bias (elemwise add), z(elemwise add) into one opr (only support on GPU)",
            ),
            (
                "enable_fuse_preprocess",
                "bool",
                "false",
                "Fusion astype | pad_channel | dimshuffle and etc opr from h2d opr",
            ),
            (
                "enable_jit",
                "bool",
                "false",
                (" Execute supported operators with JIT, please check with MGB_JIT_BACKEND for more details"),
            ),
            (
                "fake_first",
                "bool",
                "false",
                (
                    "Enable fake exec for the first run. In fake exec mode, some initialization job would be "
                    "done, but no actual computing is performed."
                ),
            ),
            ("fuse_grain", "bool", "false", "Enable fusion grain opr to huge opr"),
            ("no_sanity_check", "bool", "false", "Disable var sanity check on the first run"),
            (
                "optimize_for_inference",
                "bool",
                "false",
                "whether to optimize_for_inference, fuse bn and many base optimize",
            ),
            (
                "record_comp_seq",
                "bool",
                "false",
                (
                    "Record the computing sequence, in level 1 . It reduces overhead of APIcalls of some "
                    "asynchronous computing devices"
                ),
            ),
            (
                "record_comp_seq2",
                "bool",
                "false",
                (
                    "Record the computing sequence, in level 2, the computing graph can bedestructed to "
                    "reduce memory usage"
                ),
            ),
            (
                "tensorrt",
                "bool",
                "false",
                (
                    " Execute supported operators with TensorRT. Can only be used on Nvidia GPUs,i.e. comp "
                    "node is xpu or gpu."
                ),
            ),
            (
                "tensorrt_cache",
                "string",
                "",
                "Set the TensorRT engine cache path for serialized prebuilt ICudaEngine",
            ),
            (
                "weight_preprocess",
                "bool",
                "false",
                (
                    "Execute operators with weight preprocess, which can optimize the operator execution "
                    "time with algo of winograd, im2col ,etc., but it may consume more memory."
                ),
            ),
            ("workspace_limit", "uint64", "18446744073709551615", "set workspace upbound limit"),
        ),
    ),
    (
        "options/plugin_options",
        (
            (
                "check_dispatch",
                "bool",
                "false",
                (
                    "check whether an operator call dispatch on cpu comp nodes This is used to find "
                    "potential bugs in MegDNN"
                ),
            ),
            (
                "check_var_value",
                "string",
                "",
                (
                    "--check-var-value [interval]|[interval:init_idx], Enable VarValueChecker plugin. check "
                    "values of all vars in a graph from given var ID(init_idx) with step interval"
                ),
            ),
            ("disable_assert_throw", "bool", "false", "disable assert throw on error check"),
            (
                "get_static_mem_info",
                "string",
                "",
                "Record the static computing graph's static memory information",
            ),
            ("model_info", "bool", "false", " Format and display model input/output  tensor inforamtion"),
            (
                "profile",
                "string",
                "",
                "Write profiling result to given file. The output file is in JSON format",
            ),
            ("profile_host", "string", "", "focus on host time profiling For some backends(such as openCL)"),
            (
                "range",
                "double",
                "0",
                "check whether absolute value of all numbers in computing graph is in the given range",
            ),
            ("verbose", "bool", "false", "get more inforamtion for debug"),
            ("wait_gdb", "bool", "false", "print current process PID and wait for gdb attach"),
        ),
    ),
    (
        "options/strategy_options",
        (
            ("iter", "int32", "10", "iteration number for run model"),
            ("share_param_mem", "bool", "false", "load model from shared memeory"),
            (
                "thread",
                "int32",
                "1",
                (
                    "thread number for run model while <thread> is supported( NOTE: this is not a mapper "
                    "device setting just for load and run)"
                ),
            ),
            ("warmup_iter", "int32", "1", "iteration number for warm up model before run"),
        ),
    ),
    (
        "strategys/strategy_fitting",
        (
            ("dump_fitting_model", "string", "", "dump the best option and algo cache into model"),
            ("fitting", "bool", "false", "use the fitting mode profile and get the best option set."),
        ),
    ),
    (
        "gflags",
        (
            ("flagfile", "string", "", "load flags from file"),
            ("fromenv", "string", "", "set flags from the environment [use 'export FLAGS_flag1=value']"),
            ("tryfromenv", "string", "", "set flags from the environment if present"),
            (
                "undefok",
                "string",
                "",
                (
                    "comma-separated list of flag names that it is okay to specify on the command line even "
                    "if the program does not define a flag with that name.  IMPORTANT: flags in this list "
                    "that have arguments MUST use the flag=value format"
                ),
            ),
        ),
    ),
    (
        "gflags_reporting",
        (
            ("help", "bool", "false", "show help on all flags [tip: all flags can have two dashes]"),
            ("helpfull", "bool", "false", "show help on all flags -- same as -help"),
            ("helpmatch", "string", "", "show help on modules whose name contains the specified substr"),
            ("helpon", "string", "", "show help on the modules named by this flag value"),
            ("helpshort", "bool", "false", "show help on only the main module for this program"),
            ("version", "bool", "false", "show version and build info and exit"),
        ),
    ),
)
