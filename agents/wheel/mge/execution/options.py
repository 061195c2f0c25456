"""What each flag does to a network: before it is created, before and after it is loaded, after every run, at
the end.
"""

import os
import sys
from typing import Any, List, Optional

from mge import files, log
from mge.bindings import heap, lite, lite_c
from mge.bindings.cpp_objects import CppObjects
from mge.bindings.internals import Internals
from mge.command_line import checks
from mge.command_line.flags import Values
from mge.errors import AbortError, UnavailableError, failed
from mge.execution import config
from mge.outputs import dumps, packed_model

PROFILED_RUNS = 2  # the file holds the last run only; the first one still sets the profiler up
NO_LIMIT = 2**64 - 1
USUAL_ENTRY = "mgb_c_opr_init"
COPR_FUNCTIONS = ("copr_param_device_ptr_malloc", "copr_param_device_ptr_free", "copr_param_device_ptr_h2d")


class AppliedOptions:
    """The options on one network, in the order of the C++ program's stages. `model` is the path that is
    loaded.
    """

    network: lite.Network  # from before_load on

    def __init__(self, library: lite.Library, values: Values, model: str) -> None:
        self.library, self.values, self.model = library, values, model
        self.affinity_error: Optional[Exception] = None
        self.assert_errors = 0
        self.kept: List[Any] = []  # the library has their addresses
        self._internals: Optional[Internals] = None
        self._scratch: Optional[files.Scratch] = None
        self.stream: Optional[dumps.Stream] = None
        self.outputs: Optional[dumps.Outputs] = None

    def internals(self) -> Internals:
        """Raises UnavailableError for a library of another build."""
        if self._internals is None:
            self._internals = Internals(CppObjects(self.library))
        return self._internals

    def scratch(self) -> files.Scratch:
        self._scratch = self._scratch or files.Scratch()
        return self._scratch

    # -- before the network is loaded

    def before_load(self) -> None:
        """Creates the network."""
        values = self.values
        if values.verbose:
            log.lite("enable verbose")
            self.library.set_log_level(lite_c.LOG_DEBUG)
        if values.wait_gdb:
            sys.stdout.write(f"wait for gdb attach (pid={os.getpid()}): ")
            sys.stdout.flush()
            sys.stdin.read(1)
        if values.c_opr_lib:
            self._load_operators()
        if values.optimize_for_inference:
            self._optimize()
        self._create()
        self._threads()
        config.set_algorithms(self.library, self.network, values)
        if values.tensorrt_cache:
            log.lite(f"set tensorrt cache as {values.tensorrt_cache}")
            self.library.set_tensor_rt_cache(os.fsencode(values.tensorrt_cache))
        if values.tensorrt:
            log.lite("enable TensorRT")
            self.library.use_tensorrt(self.network.handle)
        if values.layout_transform:
            log.lite("using global layout transform optimization")
            self.library.enable_global_layout_transform(self.network.handle)
        self._graph()
        self._plugins()

    def _load_operators(self) -> None:
        values = self.values
        if values.c_opr_init_interface == USUAL_ENTRY and not values.c_opr_lib_with_param:
            self.library.set_loader_lib_path(os.fsencode(values.c_opr_lib))
            return
        loader = lite.open_operators(self.library, values.c_opr_lib, values.c_opr_init_interface)
        sys.stdout.write(f"loaded C opr library: {values.c_opr_lib}\n")
        if values.c_opr_lib_with_param and not all(hasattr(loader, name) for name in COPR_FUNCTIONS):
            raise failed(
                "c_opr_args.is_run_c_opr && c_opr_args.copr_param_device_ptr_malloc",
                "--c-opr-lib-with-param need config with --c-opr-lib, also extern c opr loader need "
                "implemente {}, {} and {} symbols".format(*COPR_FUNCTIONS),
            )

    def _optimize(self) -> None:
        """--optimize-for-inference consumes the other graph options, as in the C++ program: the optimised
        model is what is loaded afterwards.
        """
        values, fields = self.values, config.graph_fields(self.values)
        layouts = [name for name in (*config.LAYOUTS, "chwn4") if getattr(values, "enable_" + name)]
        if values.enable_fuse_preprocess:
            fields.append("fuse_preprocess")
        if values.weight_preprocess:
            fields.append("weight_preprocess")
        log.lite("enable optimize for inference optimization")
        network = lite.Network(self.library, lite.default_config())
        network.load(self.model)
        internals = self.internals()
        internals.name_inputs(network)
        internals.optimize_for_inference(network, fields, layouts[0] if layouts else "default")
        self.model = self.scratch().path("optimized.mge")
        internals.dump(network, self.model)

    def _create(self) -> None:
        values = self.values
        network_config = config.network_config(values, self.library.folder)
        if values.copy_to_host:
            log.lite("lite model set copy to host defaultly")
        ios = None
        if files.is_graph(self.model):  # not a packed model, which the C++ program runs as with --lite
            ios = lite.outputs_as_shapes(self.library, self.model, network_config)
            self.library.guard_exit()
        if values.lite or values.copy_to_host or values.bin_out_dump:
            ios = None
        self.network = lite.Network(self.library, network_config, ios)

    def _threads(self) -> None:
        values, threads = self.values, checks.threads(self.values)
        if values.cpu_default or values.multithread_default >= 0:
            self.library.set_cpu_inplace_mode(self.network.handle)
        if values.cpu_default:
            log.lite("using cpu default device\n")
        if threads >= 0:
            log.lite(f"using multithread {'' if values.multithread >= 0 else ' default '}device\n")
            self.library.set_cpu_threads_number(self.network.handle, threads)

    def _graph(self) -> None:
        """Options of the graph that only internal symbols reach."""
        values = self.values
        layout, fields = "default", []
        if not values.optimize_for_inference:
            fields = config.graph_fields(values)
            if values.enable_chwn4:
                layout = "chwn4"
                log.lite("enable chwn4 optimization")
        if values.disable_mem_opt:
            log.lite("disable memory optimization")
        if fields or layout != "default" or values.disable_mem_opt:
            planned = not values.disable_mem_opt
            self.internals().set_options(self.network, fields, layout, memory_optimisation=planned)

    def _plugins(self) -> None:
        values = self.values
        if values.range > 0:
            log.lite("enable number range check")
            self.internals().check_range(self.network, values.range)
        if values.check_dispatch:
            log.lite("enable cpu dispatch check")
            self.internals().check_dispatch(self.network)
        if values.check_var_value:
            log.lite("enable variable value check")
            interval, first = checks.var_value(values.check_var_value)
            self.internals().check_var_value(self.network, interval, first)

    # -- after the network is loaded

    def load(self) -> None:
        self.network.load(self.model)

    def after_load(self) -> None:
        values, network, library = self.values, self.network, self.library
        if values.multi_thread_core_ids:
            self._pin_threads(checks.core_ids(values))
        if values.workspace_limit != NO_LIMIT:
            log.lite(f"set workspace limit to {values.workspace_limit}")
            library.set_network_algo_workspace_limit(network.handle, values.workspace_limit)
        if values.fast_run_algo_policy:
            exists = os.path.exists(values.fast_run_algo_policy)
            library.set_persistent_cache(os.fsencode(values.fast_run_algo_policy), int(not exists))
        if values.layout_transform_dump:
            self._dump_transformed(values.layout_transform_dump)
        if values.disable_assert_throw:
            log.lite("disable assert throw")
        if values.get_static_mem_info:
            log.lite("enable get static memeory information")
            self.internals().static_memory(network, values.get_static_mem_info)
        self._dumps()
        if values.model_info:
            log.lite("enable display model information")
            self._model_info()

    def _pin_threads(self, ids: List[int]) -> None:
        def pin(thread: int) -> int:
            try:
                os.sched_setaffinity(0, {ids[thread]})
            except Exception as error:  # noqa: BLE001 - check_affinity raises it: it cannot cross C++
                self.affinity_error = error
            return 0

        log.lite(f"multi thread core ids: {''.join(f'{core},' for core in ids)}\n")
        callback = lite_c.THREAD_CALLBACK(pin)
        self.kept.append(callback)
        self.library.set_runtime_thread_affinity(self.network.handle, callback)

    def check_affinity(self) -> None:
        """Raises AbortError when a thread could not be pinned."""
        if self.affinity_error:
            raise AbortError(f"cannot pin a thread: {self.affinity_error}")

    def _dump_transformed(self, path: str) -> None:
        files.check_writable(path)
        try:
            self.internals().name_inputs(self.network)  # the library would call them `h2d[6]`
        except UnavailableError as error:
            log.lite(f"the inputs of the dumped model lose their names: {error}", "WRN")
        self.library.dump_layout_transform_model(self.network.handle, os.fsencode(path))

    def _dumps(self) -> None:
        values, network, library = self.values, self.network, self.library
        if values.io_dump:
            log.lite("enable text io dump")
            files.check_writable(values.io_dump)
            library.enable_io_txt_dump(network.handle, os.fsencode(values.io_dump))
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            if getattr(values, "io_dump_" + name):
                log.lite(f"enable text io dump to {name}")
                self.stream = dumps.Stream(descriptor)
                library.enable_io_txt_dump(network.handle, os.fsencode(self.stream.path))
        if values.bin_io_dump:
            log.lite("enable binary io dump")
            files.make_folder(values.bin_io_dump)
            library.enable_io_bin_dump(network.handle, os.fsencode(values.bin_io_dump))
        if values.bin_out_dump:
            log.lite("enable binary output dump")
            files.make_folder(values.bin_out_dump)
            self.outputs = dumps.Outputs(network, self.internals(), values.bin_out_dump)

    def _model_info(self) -> None:
        rows = [("type", "name", "shape", "dtype")]
        for which in ("input", "output"):
            for name in self.network.names(which):
                tensor = self.network.tensor(name)
                shape = ",".join(map(str, tensor.layout().shape))
                rows.append((which.upper(), name, f"{{{shape}}}", tensor.dtype()[0]))
        log.lite(f"\n{log.text_table('Runtime Model Info', rows)}\n")

    # -- runs, and after them

    def tolerates(self, error: AbortError) -> bool:
        """Whether a failed run goes on: --disable-assert-throw does not stop at an AssertEqual that is not
        equal.
        """
        if not (self.values.disable_assert_throw and "Unequal value" in str(error)):
            return False
        if not self.assert_errors:
            log.lite(str(error), "WRN")
        self.assert_errors += 1
        return True

    def after_wait(self) -> None:
        if self.outputs:
            self.outputs.write()

    def after_run(self) -> None:
        values, library = self.values, self.library
        if values.profile_host or values.profile:
            self._profile(values.profile_host or values.profile)
        if values.model_info:
            self._model_info()
        if values.fast_run_algo_policy:
            library.dump_persistent_cache(os.fsencode(values.fast_run_algo_policy))
        if values.tensorrt_cache:
            library.dump_tensor_rt_cache()
        if values.model_dump:
            files.check_writable(values.model_dump)
            self.internals().name_inputs(self.network)
            self.internals().dump(self.network, values.model_dump)
            log.lite(f"success write model to {values.model_dump}\n", "WRN")
        if values.packed_model_dump:
            packed_model.write(values, self.model)

    def _profile(self, path: str) -> None:
        """Attached after the timed runs, so that they are not slowed down by it.

        MegEngine frees very many small pieces when it has written the file. To put these together took 5 to
        20 ms, which stood in the next file as the time of the first operator with a large workspace.
        """
        files.check_writable(path)
        log.lite("enable profiling" + (" for host" if self.values.profile_host else ""))
        self.library.enable_profile_performance(self.network.handle, os.fsencode(path))
        for _ in range(PROFILED_RUNS):
            heap.settle()
            self.network.run()
        log.lite(f"profiling result written to {path}")

    def close(self) -> None:
        if not self.values.record_comp_seq2:  # whose destructor asserts; the process ends at once anyway
            self.network.destroy()
        if self.stream:
            self.stream.close()

    def remove_scratch(self) -> None:
        if self._scratch:
            self._scratch.remove()
