"""Options that the library has but that its C interface does not offer: C++ symbols and structure offsets of
the one build that cpp_objects.BUILDS names.

Every object that is reached through an offset must show the virtual table of its class, and every option its
default value, before it is used.
"""

import ctypes
import os
import struct
from ctypes import c_float, c_size_t, c_void_p
from typing import Any, Collection, Dict, List, Set, Tuple

from mge.bindings.cpp_objects import STRING_HEADER_BYTES, CppObjects, refusal
from mge.bindings.lite import ALIGNMENT, Network, aligned_buffer

# Offsets in bytes: of lite's network, of its implementation, of MegBrain's graph, of variables and operators
NETWORK_IMPL, IMPL_GRAPH, IMPL_EXECUTABLE, IMPL_TRANSFORMED, IMPL_OUTPUTS = 120, 256, 88, 25, 520
GRAPH_SEQ_OPT, GRAPH_OPT, GRAPH_OPT_LEVEL = 200, 204, 232
VAR_ID, VAR_OWNER, OPERATOR_GRAPH, OPERATOR_NAME, OPERATOR_INPUTS, OPERATOR_OUTPUTS = 16, 48, 8, 56, 152, 208
# One byte each, from GRAPH_SEQ_OPT: memory plan, memory reuse, computing node optimisation
SEQ_OPT_DEFAULT = b"\1\1\1"
GRAPH_OPT_LEVEL_DEFAULT = 2
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
CHECK_RANGE = "_ZN3mgb15NumRangeCheckerC1EPNS_2cg14ComputingGraphEf"
CHECK_DISPATCH = "_ZN3mgb18CPUDispatchCheckerC1EPNS_2cg14ComputingGraphE"
CHECK_VAR_VALUE = "_ZN3mgb15VarValueCheckerC1EPNS_2cg14ComputingGraphEmm"
STATIC_MEMORY = "_ZNK3mgb2cg18ComputingGraphImpl17ComputingSequence28get_static_memory_alloc_infoERKSs"
VAR_NAME = "_ZNK3mgb2cg7VarNode4nameEv"
DUMP_VAR_INFO = "_ZN3mgb2cg13dump_var_infoERKNS0_16VarNodeArrayViewE"
OPTIMIZE_FOR_INFERENCE = (
    "_ZN3mgb4gopt22optimize_for_inferenceERKN6megdnn11SmallVectorINS_2cg9SymbolVarELj4EEE"
    "RKNS0_27OptimizeForInferenceOptionsE"
)
PLUGIN_BYTES = 4096  # more than any plugin object takes


class Internals:
    def __init__(self, objects: CppObjects) -> None:
        self.objects, self.library = objects, objects.library

    def _impl(self, network: Network) -> int:
        return self.objects.pointer((network.handle.value or 0) + NETWORK_IMPL)

    def _graph(self, network: Network) -> int:
        """Address of the network's computing graph; it exists from the creation of the network."""
        return self.objects.checked(self.objects.pointer(self._impl(network) + IMPL_GRAPH), GRAPH_CLASS)

    # -- options of the graph, to be set before the model is loaded

    def set_options(
        self,
        network: Network,
        fields: Collection[str] = (),
        layout: str = "default",
        *,
        memory_optimisation: bool = True,
    ) -> None:
        """Sets fields of GraphCommonOptimizeOptions and, when not wanted, switches the memory planner off."""
        graph = self._graph_with_defaults(network)
        self.objects.write(graph + GRAPH_OPT, _graph_options(fields, layout))
        if not memory_optimisation:
            self.objects.write(graph + GRAPH_SEQ_OPT, b"\0\0")

    def _graph_with_defaults(self, network: Network) -> int:
        graph, read = self._graph(network), self.objects.read
        (level,) = struct.unpack("<h", read(graph + GRAPH_OPT_LEVEL, 2))
        options = bytearray(read(graph + GRAPH_OPT, GRAPH_OPT_SIZE))
        del options[len(GRAPH_OPT_FIELDS)]  # padding has any value
        sequence = read(graph + GRAPH_SEQ_OPT, len(SEQ_OPT_DEFAULT))
        if sequence != SEQ_OPT_DEFAULT or level != GRAPH_OPT_LEVEL_DEFAULT or any(options):
            raise refusal("the graph's options do not have their default values")
        return graph

    # -- plugins

    def check_range(self, network: Network, limit: float) -> None:
        self._attach(CHECK_RANGE, network, c_float(limit))

    def check_dispatch(self, network: Network) -> None:
        self._attach(CHECK_DISPATCH, network)

    def check_var_value(self, network: Network, interval: int, first: int) -> None:
        self._attach(CHECK_VAR_VALUE, network, c_size_t(interval), c_size_t(first))

    def _attach(self, constructor: str, network: Network, *arguments: Any) -> None:
        buffer, address = aligned_buffer(PLUGIN_BYTES)
        self.objects.kept.append(buffer)
        self.objects.call(constructor, address, self._graph(network), *arguments)

    def static_memory(self, network: Network, folder: str) -> None:
        """To be called after loading and before the first run, which writes the second file."""
        place = self.objects.pointer(self._impl(network) + IMPL_EXECUTABLE)
        executable = self.objects.checked(place, EXECUTABLE_CLASS)
        self.objects.call(STATIC_MEMORY, executable, self.objects.new_string(folder))

    # -- the loaded graph as a model file

    def _outputs(self, network: Network) -> Tuple[int, List[int]]:
        """(address of the vector's elements, addresses of the output variables) of a loaded network."""
        vector = self._impl(network) + IMPL_OUTPUTS
        return self.objects.pointer(vector), self.objects.vector_items(vector, VAR_CLASS)

    def _operators(self, network: Network) -> Set[int]:
        """Addresses of all operators that the outputs depend on."""
        graph = self._graph(network)
        found: Set[int] = set()
        waiting = self._outputs(network)[1]
        while waiting:
            operator = self._owner(waiting.pop(), graph)
            if operator not in found:
                found.add(operator)
                waiting += self.objects.vector_items(operator + OPERATOR_INPUTS, VAR_CLASS)
        return found

    def _owner(self, variable: int, graph: int) -> int:
        operator = self.objects.pointer(variable + VAR_OWNER)
        if self.objects.pointer(operator + OPERATOR_GRAPH) != graph:
            raise refusal("an operator is not where it should be")
        return operator

    def name_inputs(self, network: Network) -> None:
        """Gives each input operator the name of its variable: it is the operator's name that a dumped model
        keeps.
        """
        objects = self.objects
        table = objects.class_table(INPUT_CLASS)
        for operator in self._operators(network):
            if objects.pointer(operator) == table:
                variable = objects.vector_items(operator + OPERATOR_OUTPUTS, VAR_CLASS)[0]
                name = objects.new_string(self._name(variable))
                objects.write(operator + OPERATOR_NAME, struct.pack("<Q", objects.pointer(name)))

    def _name(self, variable: int) -> str:
        name_of = ctypes.CFUNCTYPE(c_void_p, c_void_p)(self.objects.symbol(VAR_NAME))
        return os.fsdecode(ctypes.string_at(self.objects.pointer(name_of(variable))))

    def describe_outputs(self, network: Network) -> Dict[str, Tuple[int, str]]:
        """By name: (id of the variable, the C++ program's description of it and of its operator's inputs)."""
        result, graph = {}, self._graph(network)
        for variable in self._outputs(network)[1]:
            number = self.objects.pointer(variable + VAR_ID)
            owner = self._owner(variable, graph)
            inputs = self.objects.vector_items(owner + OPERATOR_INPUTS, VAR_CLASS)
            text = f"var={self._describe([variable])} owner_opr_inputs= {self._describe(inputs)}"
            result[self._name(variable)] = number, text
        return result

    def _describe(self, variables: List[int]) -> str:
        array = (c_void_p * max(1, len(variables)))(*variables)
        begin = ctypes.addressof(array)
        view = (c_void_p * 2)(begin, begin + ctypes.sizeof(c_void_p) * len(variables))
        result = c_void_p()
        self.objects.call(DUMP_VAR_INFO, ctypes.addressof(result), ctypes.addressof(view))
        text = result.value or 0
        return ctypes.string_at(text, self.objects.pointer(text - STRING_HEADER_BYTES)).decode(
            "utf-8", "replace"
        )

    def optimize_for_inference(self, network: Network, fields: Collection[str], layout: str) -> None:
        """Replaces the outputs of a loaded network by those of the optimised graph; only good for `dump`
        afterwards.
        """
        begin, variables = self._outputs(network)
        result, source = self.objects.new_vector([]), self.objects.new_vector(variables)
        options = ctypes.create_string_buffer(_graph_options(fields, layout), ALIGNMENT)
        self.objects.call(OPTIMIZE_FOR_INFERENCE, result, source, ctypes.addressof(options))
        found = self.objects.vector_items(result, VAR_CLASS)
        if len(found) != len(variables):
            raise refusal("the optimised graph has another number of outputs")
        self.objects.write(begin, struct.pack(f"<{len(found)}Q", *found))

    def dump(self, network: Network, path: str) -> None:
        """Writes the loaded graph: the C function for it only asks whether a layout transform was wanted."""
        flag = self._impl(network) + IMPL_TRANSFORMED
        before = self.objects.read(flag, 1)
        if before not in (b"\0", b"\1"):
            raise refusal("the network's flags are not where they should be")
        self._outputs(network)
        self.objects.write(flag, b"\1")
        try:
            self.library.dump_layout_transform_model(network.handle, os.fsencode(path))
        finally:
            self.objects.write(flag, before)


def _graph_options(fields: Collection[str], layout: str) -> bytes:
    """Bytes of a GraphCommonOptimizeOptions."""
    unknown = set(fields) - set(GRAPH_OPT_FIELDS)
    assert not unknown, unknown
    booleans = bytes(int(field in fields) for field in GRAPH_OPT_FIELDS)
    return booleans.ljust(LAYOUT_OFFSET, b"\0") + struct.pack("<I", LAYOUTS[layout])
