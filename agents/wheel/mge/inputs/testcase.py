"""Models with test inputs (`mgbtest0`, what megengine's dump with input_data writes): the tag, the number N
of test cases as uint32, then N + 1 graphs, each a uint32 size and so many bytes: the model, and for each case
a graph whose outputs are the values of the model's inputs in the order of their names.
"""

import collections
import struct
from typing import Dict, List, Tuple

from mge.bindings import lite
from mge.bindings.lite_c import INPUT, OUTPUT
from mge.errors import AbortError, failed
from mge.files import Scratch
from mge.inputs.arrays import Array, from_bytes

TAG = b"mgbtest0"


def split(data: bytes) -> List[bytes]:
    """The graphs in a file's bytes, each with its size in front, which is part of its format."""
    (count,) = struct.unpack_from("<I", data, len(TAG))
    place, graphs = len(TAG) + 4, []
    for _ in range(count + 1):
        if place + 4 > len(data):
            raise AbortError(f"the file ends before its {count} test cases do")
        (size,) = struct.unpack_from("<I", data, place)
        graphs.append(data[place : place + 4 + size])
        place += 4 + size
    return graphs


def read(library: lite.Library, path: str, scratch: Scratch) -> Tuple[str, List[Dict[str, Array]]]:
    """(path of the model alone, the values of its inputs by name for each test case)"""
    with open(path, "rb") as stream:
        graphs = split(stream.read())
    paths = []
    for number, graph in enumerate(graphs):
        paths.append(scratch.path(f"graph{number}.mge"))
        with open(paths[-1], "wb") as stream:
            stream.write(graph)
    names = sorted(_tensors(library, paths[0], "input"))
    cases = []
    for case in paths[1:]:
        found = _tensors(library, case, "output")
        if len(found) != len(names):
            raise failed(
                "testcase.output_var_list.size() == input_tensor.size()",
                f"a test case has {len(found)} values for {len(names)} inputs",
            )
        cases.append(dict(zip(names, found.values())))
    return paths[0], cases


def _tensors(library: lite.Library, path: str, which: str) -> Dict[str, Array]:
    """A graph's inputs or, after a run, outputs by name, in the order of the file."""
    network = lite.Network(library, lite.default_config())
    network.load(path)
    if which == "output":
        network.run()
    found = collections.OrderedDict()
    for name in network.names(which):
        tensor = network.tensor(name, OUTPUT if which == "output" else INPUT)
        letter = tensor.dtype()[1]
        found[name] = Array(from_bytes(tensor.read(), letter), tensor.layout().shape, letter, "test case")
    network.destroy()
    return found
