"""One run: load the model, feed it, warm it up, time it. The lines and their order are those of
strategy_normal.cpp."""

import gc
import os
import struct
import threading
import time

import mge_check
import mge_inputs
import mge_log
import mge_options
import mge_testcase
from mge_log import log

MAGIC_BYTES = 16


def run(library, values, model):
    """Runs `model` in as many threads as asked for; raises Abort."""
    mge_check.check(values)
    brain, dnn = library.core_versions()
    log("megbrain/lite/load_and_run:\nusing MegBrain %d.%d.%d(%d) and MegDNN %d.%d.%d\n" % (brain + dnn))
    runs = [Run(library, values, model) for _ in range(values.thread)]
    gc.collect()
    gc.disable()  # a collection inside a timed interval would be measured
    if len(runs) == 1:
        runs[0].whole()
        return
    threads = [threading.Thread(target=run.whole_in_thread) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        if run.error:
            raise run.error


class Run(object):
    def __init__(self, library, values, model):
        self.library, self.values, self.model = library, values, model
        self.error, self.clock = None, time.perf_counter

    def whole_in_thread(self):
        try:
            self.whole()
        except Exception as error:  # is raised again by the main thread
            self.error = error

    def whole(self):
        values = self.values
        head = check_readable(self.model)
        if values.lite or values.mdl:
            log("run model force %s mode\n" % ("lite" if values.lite else "mdl"))
        mge_log.lite("creat lite model use CPU as default comp node")
        given = mge_inputs.parse(values.input)
        options = self.options = mge_options.Applied(self.library, values, self.model)
        cases = []
        if head.startswith(mge_testcase.TAG) and not values.lite:
            if values.c_opr_lib_with_param:
                raise mge_log.Unavailable(
                    "--c-opr-lib-with-param cannot pass a test case to the library of operators"
                )
            options.model, cases = mge_testcase.read(self.library, self.model, options.scratch())
        options.before_load()
        network = options.network
        self.mark = self.clock()
        options.load()
        log("load model: %.3fms\n" % self.lap())
        total = 0
        for index, case in enumerate(cases or [{}]):
            self.feed(network, dict(case, **given))
            if index == 0:
                options.after_load()
            log("run testcase: %d " % index)
            if index == 0:
                self.library.guard_exit()
                self.bind(network, options)
                self.warm_up(options)
            total += self.timed(options, index)
        log("=== total time: %.3fms\n" % total)
        options.after_run()
        options.close()

    def lap(self):
        """Milliseconds since the last lap."""
        now = self.clock()
        passed, self.mark = (now - self.mark) * 1e3, now
        return passed

    def feed(self, network, given):
        """Gives every input its value; one that is not given gets zeros, not what its memory holds."""
        names = network.names("input")
        for name in given:
            if name not in names:
                raise mge_log.failed(
                    "tensormap.find(i.first) != tensormap.end()",
                    "can't find tesnor named %s; the model's inputs are: %s" % (name, ", ".join(names)),
                )
        batch = self.values.batch_size
        for name in names:
            tensor = network.tensor(name, 1)
            layout, (_, letter) = tensor.layout(), tensor.dtype()
            value = given.get(name, layout.shape)
            note, filler = (
                "",
                b"\1" if name in given else b"\0",
            )  # shape only: ones, as the C++ program fills it
            if isinstance(value, tuple):
                data, shape = filler * (mge_inputs.count(value) * struct.calcsize(letter)), value
            else:
                data, shape, note = mge_inputs.encode(name, value, letter, layout.ndim)
            if note:
                mge_log.lite(note, "WRN")
            if batch > 0:
                data, shape = repeat(data, shape, batch)
            tensor.fill(data, tuple(shape))
        if batch > 0:
            mge_log.lite("force set batch size to %d" % batch, "WRN")

    def bind(self, network, options):
        """What the loop calls, looked up once: the library's functions themselves, without Python around
        them."""
        self.forward, self.wait = self.library.lite.LITE_forward, self.library.lite.LITE_wait
        self.handle, self.after_wait = network.handle, options.after_wait

    def once(self):
        """(seconds until the call came back, seconds until the result was there) of one inference."""
        forward, wait, handle, clock = self.forward, self.wait, self.handle, self.clock
        start = clock()
        failed = forward(handle)
        launched = clock()
        failed = failed or wait(handle)
        ended = clock()
        if failed:
            self.raise_or_go_on(failed)
        return launched - start, ended - start

    def raise_or_go_on(self, result):
        try:
            self.library.check(result)
        except mge_log.Abort as error:
            if not self.options.tolerates(error):
                raise

    def warm_up(self, options):
        for index in range(max(0, options.warmup_iter)):
            log("=== prepare: %.3fms; going to warmup" % self.lap())
            self.once()
            log("warm up %d  %.3fms" % (index, self.lap()))
            options.check_affinity()
            self.after_wait()

    def timed(self, options, test):
        times, runs = [], max(0, options.iter)
        for index in range(runs):
            host, whole = self.once()
            self.after_wait()
            log("iter %d/%d: e2e=%.3f ms (host=%.3f ms)" % (index, runs, whole * 1e3, host * 1e3))
            times.append(whole * 1e3)
        options.check_affinity()
        total = sum(times)
        if times:
            log(
                "=== finished test #%d: time=%.3f ms avg_time=%.3f ms "
                "standard_deviation=%s ms min=%.3f ms max=%.3f ms"
                % (test, total, total / runs, deviation(times), min(times), max(times))
            )
        return total


def deviation(times):
    """Of a sample, as the C++ program prints it: also `-nan` for a single time."""
    if len(times) < 2:
        return "-nan"
    mean = sum(times) / len(times)
    return "%.3f" % (sum((t - mean) ** 2 for t in times) / (len(times) - 1)) ** 0.5


def repeat(data, shape, batch):
    """The rows of `data` again and again until there are `batch` of them."""
    row = len(data) // shape[0]
    times = -(-batch // shape[0])
    return (bytes(data) * times)[: row * batch], (batch,) + tuple(shape[1:])


def check_readable(model):
    """The first bytes of a model file."""
    try:
        with open(model, "rb") as stream:
            head = stream.read(MAGIC_BYTES)
    except (IOError, OSError) as error:
        raise mge_log.failed("fin", "failed to open %s: %s" % (model, os.strerror(error.errno)))
    if len(head) < MAGIC_BYTES:
        raise mge_log.failed(
            "fread(buf, 1, 16, fin) == 16", "read model failed: %s has %d bytes" % (model, len(head))
        )
    return head
