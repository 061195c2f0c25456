"""One run: load the model, feed it, warm it up, time it. The lines and their order are those of
strategy_normal.cpp.
"""

import gc
import os
import struct
import threading
import time
from typing import Dict, List, Mapping, Optional, Tuple

from mge import files, log
from mge.bindings.lite import Library, Network, Tensor
from mge.bindings.lite_c import INPUT
from mge.command_line import checks
from mge.command_line.flags import Values
from mge.errors import AbortError, UnavailableError, failed
from mge.execution.options import AppliedOptions
from mge.inputs import input_flag, testcase
from mge.inputs.arrays import Array, Shape, element_count, encode, repeat_rows


def run(library: Library, values: Values, model: str) -> None:
    """Runs `model` in as many threads as asked for. Raises AbortError, UnavailableError."""
    checks.check(values)
    brain, dnn = library.core_versions()
    log.line(
        "megbrain/lite/load_and_run:\n"
        f"using MegBrain {brain.major}.{brain.minor}.{brain.patch}({brain.is_dev}) "
        f"and MegDNN {dnn.major}.{dnn.minor}.{dnn.patch}\n"
    )
    runs = [Run(library, values, model) for _ in range(values.thread)]
    gc.collect()
    gc.disable()  # a collection inside a timed interval would be measured
    if len(runs) == 1:
        runs[0].whole()
        return
    threads = [threading.Thread(target=one.whole_in_thread) for one in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in runs:
        if one.error:
            raise one.error


class Run:
    """A network of its own, from its file to its times."""

    def __init__(self, library: Library, values: Values, model: str) -> None:
        self.library, self.values, self.model = library, values, model
        self.options = AppliedOptions(library, values, model)
        self.error: Optional[Exception] = None
        self.clock = time.perf_counter
        self.mark = 0.0
        self.measured: List[Tuple[float, float]] = []

    def whole_in_thread(self) -> None:
        try:
            self.whole()
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self.error = error

    def whole(self) -> None:
        """From the command line to the last line of the log."""
        try:
            self._steps()
        finally:
            self.options.remove_scratch()

    def _steps(self) -> None:
        values, options = self.values, self.options
        head = files.read_magic(self.model)
        if values.lite or values.mdl:
            log.line(f"run model force {'lite' if values.lite else 'mdl'} mode\n")
        log.lite("creat lite model use CPU as default comp node")
        given = input_flag.parse(values.input)
        cases: List[Dict[str, Array]] = [{}]
        if head.startswith(testcase.TAG) and not values.lite:
            cases = self._test_cases() or cases
        options.before_load()
        network = options.network
        self.mark = self.clock()
        options.load()
        log.line(f"load model: {self._lap_ms():.3f}ms\n")
        total_ms = 0.0
        for index, case in enumerate(cases):
            feed(network, {**case, **given}, values.batch_size)
            if index == 0:
                options.after_load()
            log.line(f"run testcase: {index} ")
            if index == 0:
                self.library.guard_exit()
                self._bind(network)
                self._warm_up()
            total_ms += self._timed(index)
        log.line(f"=== total time: {total_ms:.3f}ms\n")
        write_exact_times(os.environ.get("FARM_TIMES"), self.measured)
        options.after_run()
        options.close()

    def _test_cases(self) -> List[Dict[str, Array]]:
        """The inputs that the model's file brings; the model alone is what is loaded afterwards."""
        if self.values.c_opr_lib_with_param:
            raise UnavailableError(
                "--c-opr-lib-with-param cannot pass a test case to the library of operators"
            )
        path, cases = testcase.read(self.library, self.model, self.options.scratch())
        self.options.model = path
        return cases

    def _lap_ms(self) -> float:
        """Time since the last lap."""
        now = self.clock()
        passed, self.mark = (now - self.mark) * 1e3, now
        return passed

    def _bind(self, network: Network) -> None:
        """What the loop calls, looked up once: the library's functions themselves, without Python around
        them.
        """
        self.forward, self.wait = self.library.lite.LITE_forward, self.library.lite.LITE_wait
        self.handle, self.after_wait = network.handle, self.options.after_wait

    def _once(self) -> Tuple[float, float]:
        """(seconds until the call came back, seconds until the result was there) of one inference."""
        forward, wait, handle, clock = self.forward, self.wait, self.handle, self.clock
        start = clock()
        result = forward(handle)
        launched = clock()
        result = result or wait(handle)
        ended = clock()
        if result:
            self._raise_or_go_on(result)
        return launched - start, ended - start

    def _raise_or_go_on(self, result: int) -> None:
        try:
            self.library.check(result)
        except AbortError as error:
            if not self.options.tolerates(error):
                raise

    def _warm_up(self) -> None:
        for index in range(self.values.warmup_iter):
            log.line(f"=== prepare: {self._lap_ms():.3f}ms; going to warmup")
            self._once()
            log.line(f"warm up {index}  {self._lap_ms():.3f}ms")
            self.options.check_affinity()
            self.after_wait()

    def _timed(self, test: int) -> float:
        """Milliseconds of all iterations."""
        times_ms: List[float] = []
        runs = self.values.iter
        for index in range(runs):
            host_s, e2e_s = self._once()
            self.after_wait()
            log.line(f"iter {index}/{runs}: e2e={e2e_s * 1e3:.3f} ms (host={host_s * 1e3:.3f} ms)")
            times_ms.append(e2e_s * 1e3)
            self.measured.append((e2e_s, host_s))
        self.options.check_affinity()
        total_ms = sum(times_ms)
        if times_ms:
            log.line(
                f"=== finished test #{test}: time={total_ms:.3f} ms avg_time={total_ms / runs:.3f} ms "
                f"standard_deviation={deviation(times_ms)} ms "
                f"min={min(times_ms):.3f} ms max={max(times_ms):.3f} ms"
            )
        return total_ms


def write_exact_times(path: Optional[str], measured: List[Tuple[float, float]]) -> None:
    """The times in nanoseconds, for farm: a printed digit is 3 % of a model that takes 38 us. The log has all
    that is needed without them, so a disk that is full ends no run.
    """
    if not path:
        return
    text = "".join(f"{round(e2e_s * 1e9)} {round(host_s * 1e9)}\n" for e2e_s, host_s in measured)
    try:
        with open(path, "w") as stream:
            stream.write(text)
    except OSError as error:
        log.lite(f"{path} was not written: {error.strerror}", "WRN")


def feed(network: Network, given: Mapping[str, input_flag.Given], batch: int) -> None:
    """Gives every input its value; one that is not given gets zeros, not what its memory holds."""
    names = network.names("input")
    for name in given:
        if name not in names:
            raise failed(
                "tensormap.find(i.first) != tensormap.end()",
                f"can't find tesnor named {name}; the model's inputs are: {', '.join(names)}",
            )
    for name in names:
        tensor = network.tensor(name, INPUT)
        data, shape = _input_bytes(name, tensor, given.get(name))
        if batch > 0:
            data, shape = repeat_rows(data, shape, batch)
        tensor.fill(data, shape)
    if batch > 0:
        log.lite(f"force set batch size to {batch}", "WRN")


def _input_bytes(name: str, tensor: Tensor, value: Optional[input_flag.Given]) -> Tuple[bytes, Shape]:
    layout, (_, letter) = tensor.layout(), tensor.dtype()
    if isinstance(value, Array):
        data, shape, note = encode(name, value, letter, layout.ndim)
        if note:
            log.lite(note, "WRN")
        return data, shape
    # A shape alone means ones, as the C++ program fills it.
    shape, filler = (layout.shape, b"\0") if value is None else (value, b"\1")
    return filler * (element_count(shape) * struct.calcsize(letter)), shape


def deviation(times_ms: List[float]) -> str:
    """Of a sample, as the C++ program prints it: also `-nan` for a single time."""
    if len(times_ms) < 2:
        return "-nan"
    mean = sum(times_ms) / len(times_ms)
    return f"{(sum((time_ms - mean) ** 2 for time_ms in times_ms) / (len(times_ms) - 1)) ** 0.5:.3f}"
