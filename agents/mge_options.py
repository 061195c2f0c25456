"""What each flag does to a network: before it is created, before and after it is loaded, after every run, at
the end."""

import os
import sys

import mge_check
import mge_dump
import mge_elf
import mge_internal
import mge_lite
import mge_log
from mge_log import failed

LAYOUTS = ("nchw4", "nchw44", "nchw88", "nchw32", "nchw64", "nhwcd4", "nchw44_dot")
# flag -> (field of lite's options, value, what the program logs)
FIELDS = (
    ("enable_fuse_preprocess", "fuse_preprocess", 1, "enable fuse-preprocess optimization"),
    ("weight_preprocess", "weight_preprocess", 1, "enable weight-preprocess optimization"),
    ("const_shape", "const_shape", 1, "enable const var shape"),
    ("fake_first", "fake_next_exec", 1, "enable fake-first optimization"),
    ("no_sanity_check", "var_sanity_check_first_run", 0, "disable var sanity check optimization"),
    ("record_comp_seq", "comp_node_seq_record_level", 1, "set record_comp_seq_level to 1"),
    ("record_comp_seq2", "comp_node_seq_record_level", 2, "set record_comp_seq_level to 2"),
    ("enable_jit", "jit_level", 1, "enable JIT (level 1)"),
)
# flag -> (field of the graph's options that the C interface lacks, what the program logs)
GRAPH_FIELDS = (
    ("enable_ioc16", "f16_io_comp", "enable f16_io_comp optimization"),
    (
        "enable_fuse_conv_bias_nonlinearity",
        "fuse_conv_bias_nonlinearity",
        "enable fuse conv+bias+nonlinearity optimization",
    ),
    ("enable_fuse_conv_bias_with_z", "fuse_conv_bias_with_z", "enable fuse conv+bias+z optimization"),
    ("fuse_grain", "fuse_grain", "enable fuse-grain optimization"),
)
PROFILED_RUNS = 2  # the file holds the last run only; the first one still sets the profiler up
NO_LIMIT = 2**64 - 1
COPR_FUNCTIONS = ("copr_param_device_ptr_malloc", "copr_param_device_ptr_free", "copr_param_device_ptr_h2d")


class Applied(object):
    """The options on one network, in the order of the C++ program's stages. `model` is the path that is
    loaded."""

    def __init__(self, library, values, model):
        self.library, self.values, self.model = library, values, model
        self.iter, self.warmup_iter = values.iter, values.warmup_iter
        self.network, self.affinity_error, self.kept = None, None, []
        self.internals, self.assert_errors, self.stream, self.outputs = None, 0, None, None
        self.folder = None

    def internal(self):
        if self.internals is None:
            self.internals = mge_internal.Internals(self.library)
        return self.internals

    def scratch(self):
        self.folder = self.folder or mge_dump.Scratch()
        return self.folder

    def before_load(self):
        values = self.values
        if values.verbose:
            mge_log.lite("enable verbose")
            self.library.set_log_level(mge_lite.LOG_DEBUG)
        if values.wait_gdb:
            sys.stdout.write("wait for gdb attach (pid=%d): " % os.getpid())
            sys.stdout.flush()
            sys.stdin.read(1)
        if values.c_opr_lib:
            self._load_operators()
        if values.optimize_for_inference:
            self._optimize()
        config = self._config()
        if values.copy_to_host:
            mge_log.lite("lite model set copy to host defaultly")
        ios = None
        if mge_check.is_graph(self.model):  # not a packed model, which the C++ program runs as with --lite
            ios = mge_lite.outputs_as_shapes(self.library, self.model, config)
            self.library.guard_exit()
        if values.lite or values.copy_to_host or values.bin_out_dump:
            ios = None
        self.network = mge_lite.Network(self.library, config, ios)
        self._threads()
        self._algorithms()
        if values.tensorrt_cache:
            mge_log.lite("set tensorrt cache as %s" % values.tensorrt_cache)
            self.library.set_tensor_rt_cache(mge_lite.encode(values.tensorrt_cache))
        if values.tensorrt:
            mge_log.lite("enable TensorRT")
            self.library.use_tensorrt(self.network.handle)
        if values.layout_transform:
            mge_log.lite("using global layout transform optimization")
            self.library.enable_global_layout_transform(self.network.handle)
        self._graph()

    def _config(self):
        values, config = self.values, mge_lite.default_config()
        if values.cpu or values.cpu_default or mge_check.threads(values) >= 0:
            mge_log.lite("using cpu device\n")
        if values.cuda or values.layout_transform == "cuda":
            if not mge_elf.has_cuda_code(os.path.join(self.library.folder, mge_lite.CORE)):
                raise mge_log.Unavailable("the library in lib/ is the one without CUDA code")
            mge_log.lite("using cuda device\n")
            config.device_type = mge_lite.CUDA
        for flag, field, value, text in FIELDS:
            if getattr(values, flag):
                mge_log.lite(text)
                setattr(config.options, field, value)
        if not values.optimize_for_inference:
            for layout in LAYOUTS:
                if getattr(values, "enable_" + layout):
                    mge_log.lite("enable %s optimization" % layout)
                    setattr(config.options, "enable_" + layout, 1)
        return config

    def _threads(self):
        values, network, threads = self.values, self.network, mge_check.threads(self.values)
        if values.cpu_default or values.multithread_default >= 0:
            self.library.set_cpu_inplace_mode(network.handle)
        if values.cpu_default:
            mge_log.lite("using cpu default device\n")
        if threads >= 0:
            mge_log.lite("using multithread %sdevice\n" % ("" if values.multithread >= 0 else " default "))
            self.library.set_cpu_threads_number(network.handle, threads)

    def _algorithms(self):
        """Policy of fastrun_options.cpp; unlike it, --reproducible also acts without
        --binary-equal-between-batch."""
        values = self.values
        cache = values.fast_run_algo_policy
        if values.full_run:
            mge_log.lite("enable full-run strategy for algo profile")
            policy = mge_lite.ALGO_PROFILE
        elif values.fast_run:
            mge_log.lite("enable fast-run strategy for algo profile")
            policy = mge_lite.ALGO_PROFILE | mge_lite.ALGO_OPTIMIZED
        elif cache and os.path.exists(cache):
            mge_log.lite("detect fast-run cache usable set LITE_ALGO_PROFILE for algo profile")
            policy = mge_lite.ALGO_PROFILE | mge_lite.ALGO_HEURISTIC
        else:
            policy = mge_lite.ALGO_HEURISTIC
        if values.reproducible or values.binary_equal_between_batch:
            mge_log.lite("enable reproducible strategy for algo profile")
            policy |= mge_lite.ALGO_REPRODUCIBLE
        if policy != mge_lite.ALGO_HEURISTIC or values.fast_run_shared_batch_size:
            self.library.set_network_algo_policy(self.network.handle, policy)
            self.library.set_network_algo_fastrun_config(
                self.network.handle, values.fast_run_shared_batch_size, int(values.binary_equal_between_batch)
            )

    def _graph(self):
        """Options of the graph and plugins that only internal symbols reach."""
        values, network = self.values, self.network
        chwn4 = values.enable_chwn4 and not values.optimize_for_inference
        fields = [] if values.optimize_for_inference else self._graph_fields()
        if chwn4:
            mge_log.lite("enable chwn4 optimization")
        if values.disable_mem_opt:
            mge_log.lite("disable memory optimization")
        if fields or chwn4 or values.disable_mem_opt:
            self.internal().set_options(
                network,
                fields,
                "chwn4" if chwn4 else "default",
                memory_optimisation=not values.disable_mem_opt,
            )
        if values.range > 0:
            mge_log.lite("enable number range check")
            self.internal().check_range(network, values.range)
        if values.check_dispatch:
            mge_log.lite("enable cpu dispatch check")
            self.internal().check_dispatch(network)
        if values.check_var_value:
            mge_log.lite("enable variable value check")
            interval, first = mge_check.var_value(values.check_var_value)
            self.internal().check_var_value(network, interval, first)

    def _graph_fields(self):
        fields = []
        for flag, field, text in GRAPH_FIELDS:
            if getattr(self.values, flag):
                mge_log.lite(text)
                fields.append(field)
        return fields

    def _optimize(self):
        """--optimize-for-inference consumes the other graph options, as in the C++ program: the optimised
        model is what is loaded afterwards."""
        values, fields = self.values, self._graph_fields()
        layout = [name for name in LAYOUTS + ("chwn4",) if getattr(values, "enable_" + name)]
        for flag in ("fuse_preprocess", "weight_preprocess"):
            if getattr(values, "enable_" + flag if flag == "fuse_preprocess" else flag):
                fields.append(flag)
        mge_log.lite("enable optimize for inference optimization")
        network = mge_lite.Network(self.library, mge_lite.default_config())
        network.load(self.model)
        internals = self.internal()
        internals.name_inputs(network)
        internals.optimize_for_inference(network, fields, layout[0] if layout else "default")
        self.model = self.scratch().path("optimized.mge")
        internals.dump(network, self.model)

    def _load_operators(self):
        values = self.values
        if values.c_opr_init_interface == "mgb_c_opr_init" and not values.c_opr_lib_with_param:
            self.library.set_loader_lib_path(mge_lite.encode(values.c_opr_lib))
            return
        loader = mge_lite.open_operators(self.library, values.c_opr_lib, values.c_opr_init_interface)
        sys.stdout.write("loaded C opr library: %s\n" % values.c_opr_lib)
        if values.c_opr_lib_with_param and not all(hasattr(loader, name) for name in COPR_FUNCTIONS):
            raise failed(
                "c_opr_args.is_run_c_opr && c_opr_args.copr_param_device_ptr_malloc",
                "--c-opr-lib-with-param need config with --c-opr-lib, also extern c opr loader need "
                "implemente %s, %s and %s symbols" % COPR_FUNCTIONS,
            )

    def load(self):
        self.network.load(self.model)

    def after_load(self):
        values, network, library = self.values, self.network, self.library
        if values.multi_thread_core_ids:
            self._affinity(mge_check.core_ids(values))
        if values.workspace_limit != NO_LIMIT:
            mge_log.lite("set workspace limit to %d" % values.workspace_limit)
            library.set_network_algo_workspace_limit(network.handle, values.workspace_limit)
        if values.fast_run_algo_policy:
            exists = os.path.exists(values.fast_run_algo_policy)
            library.set_persistent_cache(mge_lite.encode(values.fast_run_algo_policy), int(not exists))
        if values.layout_transform_dump:
            mge_check.writable(values.layout_transform_dump)
            mge_dump.name_inputs(self.internal, network)
            library.dump_layout_transform_model(network.handle, mge_lite.encode(values.layout_transform_dump))
        if values.disable_assert_throw:
            mge_log.lite("disable assert throw")
        if values.get_static_mem_info:
            mge_log.lite("enable get static memeory information")
            self.internal().static_memory(network, values.get_static_mem_info)
        self._dumps()
        if values.model_info:
            mge_log.lite("enable display model information")
            self._model_info()

    def _dumps(self):
        values, network, library = self.values, self.network, self.library
        if values.io_dump:
            mge_log.lite("enable text io dump")
            mge_check.writable(values.io_dump)
            library.enable_io_txt_dump(network.handle, mge_lite.encode(values.io_dump))
        for flag, descriptor in (("io_dump_stdout", 1), ("io_dump_stderr", 2)):
            if getattr(values, flag):
                mge_log.lite("enable text io dump to %s" % flag[8:])
                self.stream = mge_dump.Stream(descriptor)
                library.enable_io_txt_dump(network.handle, mge_lite.encode(self.stream.path))
        if values.bin_io_dump:
            mge_log.lite("enable binary io dump")
            mge_check.folder(values.bin_io_dump)
            library.enable_io_bin_dump(network.handle, mge_lite.encode(values.bin_io_dump))
        if values.bin_out_dump:
            mge_log.lite("enable binary output dump")
            mge_check.folder(values.bin_out_dump)
            self.outputs = mge_dump.Outputs(network, self.internal(), values.bin_out_dump)

    def _affinity(self, ids):
        def pin(thread):
            try:
                os.sched_setaffinity(0, {ids[thread]})
            except Exception as error:  # is raised by check_affinity: an exception cannot cross C++
                self.affinity_error = error
            return 0

        mge_log.lite("multi thread core ids: %s\n" % "".join("%d," % n for n in ids))
        callback = mge_lite.THREAD_CALLBACK(pin)
        self.kept.append(callback)
        self.library.set_runtime_thread_affinity(self.network.handle, callback)

    def check_affinity(self):
        if self.affinity_error:
            raise mge_log.Abort("cannot pin a thread: %s" % self.affinity_error)

    def tolerates(self, error):
        """Whether a failed run goes on: --disable-assert-throw does not stop at an AssertEqual that is not
        equal."""
        if not (self.values.disable_assert_throw and "Unequal value" in str(error)):
            return False
        if not self.assert_errors:
            mge_log.lite(str(error), "WRN")
        self.assert_errors += 1
        return True

    def _model_info(self):
        rows = [("type", "name", "shape", "dtype")]
        for which in ("input", "output"):
            for name in self.network.names(which):
                tensor = self.network.tensor(name)
                shape = "{%s}" % ",".join(map(str, tensor.layout().shape))
                rows.append((which.upper(), name, shape, tensor.dtype()[0]))
        mge_log.lite("\n%s\n" % mge_log.text_table("Runtime Model Info", rows))

    def after_wait(self):
        if self.outputs:
            self.outputs.write()

    def after_run(self):
        values, library, network = self.values, self.library, self.network
        if values.profile_host or values.profile:
            self._profile(values.profile_host or values.profile)
        if values.model_info:
            self._model_info()
        if values.fast_run_algo_policy:
            library.dump_persistent_cache(mge_lite.encode(values.fast_run_algo_policy))
        if values.tensorrt_cache:
            library.dump_tensor_rt_cache()
        if values.model_dump:
            mge_check.writable(values.model_dump)
            self.internal().name_inputs(network)
            self.internal().dump(network, values.model_dump)
            mge_log.lite("success write model to %s\n" % values.model_dump, "WRN")
        if values.packed_model_dump:
            mge_dump.pack(values, self.model)

    def _profile(self, path):
        """Attached after the timed runs, so that they are not slowed down by it."""
        mge_check.writable(path)
        mge_log.lite("enable profiling%s" % (" for host" if self.values.profile_host else ""))
        self.library.enable_profile_performance(self.network.handle, mge_lite.encode(path))
        for _ in range(PROFILED_RUNS):
            self.library.forward(self.network.handle)
            self.library.wait(self.network.handle)
        mge_log.lite("profiling result written to %s" % path)

    def close(self):
        if not self.values.record_comp_seq2:  # whose destructor asserts; the process ends at once anyway
            self.network.destroy()
        if self.stream:
            self.stream.close()
        if self.folder:
            self.folder.remove()
