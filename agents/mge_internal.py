"""Options that the library has but that its C interface does not offer: C++ symbols and structure offsets of
one exact build.

Nothing here is used unless `Internals()` has found that build: GNU build ids of both libraries and their
sizes are those of MegEngine 1.13.0's manylinux2014 x86-64 wheel for CPython 3.10. A build id names the linked
code and data; it is the same in the wheel's library and in the copy whose CUDA sections were filled with
zeros, and it is read in microseconds where a SHA-256 of 1.5 GB takes seconds (the farm checks the digest when
it deploys the file). Afterwards every object that is reached through an offset must show the virtual table of
its class, and every option its default value, before it is used.
"""

import ctypes
import os
import struct
from ctypes import c_float, c_size_t, c_void_p

import mge_elf
import mge_lite
import mge_log

# file -> (size in bytes, GNU build id)
BUILDS = {
    mge_lite.CORE: (1571279640, "d3b295c3793f08725594d2e8cc525b5c1d3c37f9"),
    mge_lite.LITE: (713816, "1aaee672a3da6f3f413d41595f3a9eb3b1130918"),
}
NETWORK_IMPL, IMPL_GRAPH, IMPL_EXECUTABLE, IMPL_TRANSFORMED, IMPL_OUTPUTS = 120, 256, 88, 25, 520
GRAPH_SEQ_OPT, GRAPH_OPT, GRAPH_OPT_LEVEL = 200, 204, 232
# One byte each, from GRAPH_SEQ_OPT: memory plan, memory reuse, computing node optimisation
SEQ_OPT_DEFAULT = b"\1\1\1"
# GraphCommonOptimizeOptions: seven booleans, one byte of padding, layout as uint32
GRAPH_OPT_FIELDS = (
    "f16_io_f32_comp",
    "f16_io_comp",
    "fuse_conv_bias_nonlinearity",
    "fuse_conv_bias_with_z",
    "weight_preprocess",
    "fuse_preprocess",
    "fuse_grain",
)
GRAPH_OPT_SIZE, LAYOUT_OFFSET = 12, 8
LAYOUTS = {
    "default": 0,
    "nchw4": 1,
    "nhwcd4": 2,
    "nchw88": 3,
    "nchw44": 4,
    "nchw44_dot": 5,
    "nchw32": 6,
    "chwn4": 7,
    "nchw64": 8,
}
GRAPH_CLASS = "_ZTVN3mgb2cg18ComputingGraphImplE"
EXECUTABLE_CLASS = "_ZTVN3mgb2cg18ComputingGraphImpl17ComputingSequenceE"
VAR_CLASS = "_ZTVN3mgb2cg7VarNodeE"
INPUT_CLASS = "_ZTVN3mgb3opr15Host2DeviceCopyE"
VAR_ID, VAR_OWNER, OPERATOR_GRAPH, OPERATOR_NAME, OPERATOR_INPUTS, OPERATOR_OUTPUTS = 16, 48, 8, 56, 152, 208
PLUGIN_BYTES = 4096  # more than any plugin object takes
ALIGNMENT = 64
SMALL_VECTOR = struct.Struct("<3Q")  # begin, end, end of capacity; up to four elements follow in place
MAX_ITEMS = 4096


def refuse(why):
    return mge_log.Unavailable(
        "this option needs internal symbols of MegEngine 1.13.0's wheel for CPython 3.10 on x86-64, and %s"
        % why
    )


class Internals(object):
    def __init__(self, library):
        self.library, self.kept = library, []
        for name, (size, identity) in BUILDS.items():
            path = os.path.join(library.folder, name)
            if os.path.getsize(path) != size or mge_elf.build_id(path) != identity:
                raise refuse("%s is another build" % name)
        self.memory = open("/proc/self/mem", "r+b", 0)

    def read(self, address, size=8):
        try:
            self.memory.seek(address)
            return self.memory.read(size)
        except (OSError, ValueError, OverflowError):
            return b""

    def write(self, address, data):
        self.memory.seek(address)
        self.memory.write(data)

    def pointer(self, address):
        data = self.read(address)
        return struct.unpack("<Q", data)[0] if len(data) == 8 else 0

    def symbol(self, name):
        try:
            return ctypes.cast(getattr(self.library.core, name), c_void_p).value
        except AttributeError:
            raise refuse("%s is missing" % name)

    def checked(self, address, class_name):
        """`address`, if an object of that class is there: a class's table starts 16 bytes into its symbol."""
        if not address or address % 8 or self.pointer(address) != self.symbol(class_name) + 16:
            raise refuse("an object of the library is not where it should be (%s)" % class_name)
        return address

    def impl(self, network):
        return self.pointer(network.handle.value + NETWORK_IMPL)

    def graph(self, network):
        """Address of the network's computing graph; it exists from the creation of the network."""
        return self.checked(self.pointer(self.impl(network) + IMPL_GRAPH), GRAPH_CLASS)

    # -- options of the graph, to be set before the model is loaded

    def _options(self, network):
        graph = self.graph(network)
        (level,) = struct.unpack("<h", self.read(graph + GRAPH_OPT_LEVEL, 2))
        options = bytearray(self.read(graph + GRAPH_OPT, GRAPH_OPT_SIZE))
        del options[len(GRAPH_OPT_FIELDS)]  # padding has any value
        if self.read(graph + GRAPH_SEQ_OPT, 3) != SEQ_OPT_DEFAULT or level != 2 or any(options):
            raise refuse("the graph's options do not have their default values")
        return graph

    def set_options(self, network, flags=(), layout="default", memory_optimisation=True):
        """Sets fields of GraphCommonOptimizeOptions and, when not wanted, switches the memory planner off."""
        graph = self._options(network)
        self.write(graph + GRAPH_OPT, graph_options(flags, layout))
        if not memory_optimisation:
            self.write(graph + GRAPH_SEQ_OPT, b"\0\0")

    # -- plugins

    def _plugin(self, constructor, network, *arguments):
        buffer = ctypes.create_string_buffer(PLUGIN_BYTES + ALIGNMENT)
        self.kept.append(buffer)  # the library keeps the address for the rest of the process
        address = (ctypes.addressof(buffer) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        function = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, *[type(a) for a in arguments])(
            self.symbol(constructor)
        )
        function(address, self.graph(network), *arguments)

    def check_range(self, network, limit):
        self._plugin("_ZN3mgb15NumRangeCheckerC1EPNS_2cg14ComputingGraphEf", network, c_float(limit))

    def check_dispatch(self, network):
        self._plugin("_ZN3mgb18CPUDispatchCheckerC1EPNS_2cg14ComputingGraphE", network)

    def check_var_value(self, network, interval, first):
        self._plugin(
            "_ZN3mgb15VarValueCheckerC1EPNS_2cg14ComputingGraphEmm",
            network,
            c_size_t(interval),
            c_size_t(first),
        )

    def _string(self, text):
        """Address of a std::string (GCC's old, reference-counted form) that is never freed."""
        data = os.fsencode(text)
        body = ctypes.create_string_buffer(struct.pack("<QQq", len(data), len(data), 1 << 20) + data)
        holder = c_void_p(ctypes.addressof(body) + 24)
        self.kept += [body, holder]
        return ctypes.addressof(holder)

    def static_memory(self, network, folder):
        """To be called after loading and before the first run, which writes the second file."""
        executable = self.checked(self.pointer(self.impl(network) + IMPL_EXECUTABLE), EXECUTABLE_CLASS)
        name = "_ZNK3mgb2cg18ComputingGraphImpl17ComputingSequence28get_static_memory_alloc_infoERKSs"
        ctypes.CFUNCTYPE(None, c_void_p, c_void_p)(self.symbol(name))(executable, self._string(folder))

    # -- the loaded graph as a model file

    def outputs(self, network):
        """(address of the vector's elements, addresses of the output variables) of a loaded network."""
        vector = self.impl(network) + IMPL_OUTPUTS
        return self.pointer(vector), self._vector_items(vector, VAR_CLASS)

    def _vector_items(self, vector, class_name):
        """Pointers of a SmallVector of objects of one class."""
        begin, end, _ = SMALL_VECTOR.unpack(self.read(vector, SMALL_VECTOR.size))
        if end < begin or (end - begin) % 8 or end - begin > MAX_ITEMS * 8:
            raise refuse("a list of variables is not where it should be")
        return [self.checked(self.pointer(address), class_name) for address in range(begin, end, 8)]

    def operators(self, network):
        """Addresses of all operators that the outputs depend on."""
        graph, found = self.graph(network), set()
        waiting = self.outputs(network)[1]
        while waiting:
            operator = self._owner(waiting.pop(), graph)
            if operator not in found:
                found.add(operator)
                waiting += self._vector_items(operator + OPERATOR_INPUTS, VAR_CLASS)
        return found

    def _owner(self, variable, graph):
        operator = self.pointer(variable + VAR_OWNER)
        if self.pointer(operator + OPERATOR_GRAPH) != graph:
            raise refuse("an operator is not where it should be")
        return operator

    def name_inputs(self, network):
        """Gives each input operator the name of its variable: it is the operator's name that a dumped model
        keeps."""
        table = self.symbol(INPUT_CLASS) + 16
        for operator in self.operators(network):
            if self.pointer(operator) == table:
                variable = self._vector_items(operator + OPERATOR_OUTPUTS, VAR_CLASS)[0]
                name = self._string(self._name(variable))
                self.write(operator + OPERATOR_NAME, struct.pack("<Q", self.pointer(name)))

    def _name(self, variable):
        name_of = ctypes.CFUNCTYPE(c_void_p, c_void_p)(self.symbol("_ZNK3mgb2cg7VarNode4nameEv"))
        return os.fsdecode(ctypes.string_at(self.pointer(name_of(variable))))

    def describe_outputs(self, network):
        """name -> (id of the variable, the C++ program's description of it and of its operator's inputs)"""
        result, graph = {}, self.graph(network)
        for variable in self.outputs(network)[1]:
            (number,) = struct.unpack("<Q", self.read(variable + VAR_ID))
            inputs = self._vector_items(self._owner(variable, graph) + OPERATOR_INPUTS, VAR_CLASS)
            text = "var=%s owner_opr_inputs= %s" % (self._describe([variable]), self._describe(inputs))
            result[self._name(variable)] = number, text
        return result

    def _describe(self, variables):
        array = (c_void_p * max(1, len(variables)))(*variables)
        begin = ctypes.addressof(array)
        view = (c_void_p * 2)(begin, begin + 8 * len(variables))
        text = c_void_p()
        name = "_ZN3mgb2cg13dump_var_infoERKNS0_16VarNodeArrayViewE"
        ctypes.CFUNCTYPE(None, c_void_p, c_void_p)(self.symbol(name))(
            ctypes.addressof(text), ctypes.addressof(view)
        )
        (length,) = struct.unpack("<Q", self.read(text.value - 24))
        return ctypes.string_at(text.value, length).decode("utf-8", "replace")

    def optimize_for_inference(self, network, flags, layout):
        """Replaces the outputs of a loaded network by those of the optimised graph; only good for `dump`
        afterwards."""
        begin, variables = self.outputs(network)
        source = self._vector(variables)
        options = ctypes.create_string_buffer(graph_options(flags, layout), ALIGNMENT)
        result = self._vector([])
        name = (
            "_ZN3mgb4gopt22optimize_for_inferenceERKN6megdnn11SmallVectorINS_2cg9SymbolVarELj4EEE"
            "RKNS0_27OptimizeForInferenceOptionsE"
        )
        ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_void_p)(self.symbol(name))(
            result, source, ctypes.addressof(options)
        )
        found = self._vector_items(result, VAR_CLASS)
        if len(found) != len(variables):
            raise refuse("the optimised graph has another number of outputs")
        self.write(begin, struct.pack("<%dQ" % len(found), *found))

    def _vector(self, items):
        """Address of a SmallVector of four pointers that holds `items`, its memory kept."""
        room = max(len(items), 4)
        buffer = ctypes.create_string_buffer(SMALL_VECTOR.size + 8 * room)
        begin = ctypes.addressof(buffer) + SMALL_VECTOR.size
        buffer[: SMALL_VECTOR.size] = SMALL_VECTOR.pack(begin, begin + 8 * len(items), begin + 8 * room)
        buffer[SMALL_VECTOR.size : SMALL_VECTOR.size + 8 * len(items)] = struct.pack(
            "<%dQ" % len(items), *items
        )
        self.kept.append(buffer)
        return ctypes.addressof(buffer)

    def dump(self, network, path):
        """Writes the loaded graph: the C function for it only asks whether a layout transform was wanted."""
        flag = self.impl(network) + IMPL_TRANSFORMED
        before = self.read(flag, 1)
        if before not in (b"\0", b"\1"):
            raise refuse("the network's flags are not where they should be")
        self.outputs(network)
        self.write(flag, b"\1")
        try:
            self.library.dump_layout_transform_model(network.handle, mge_lite.encode(path))
        finally:
            self.write(flag, before)


def graph_options(flags, layout):
    """Bytes of a GraphCommonOptimizeOptions."""
    unknown = set(flags) - set(GRAPH_OPT_FIELDS)
    assert not unknown, unknown
    booleans = bytes(bytearray(int(field in flags) for field in GRAPH_OPT_FIELDS))
    return booleans.ljust(LAYOUT_OFFSET, b"\0") + struct.pack("<I", LAYOUTS[layout])
