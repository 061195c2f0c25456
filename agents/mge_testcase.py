"""Models with test inputs (`mgbtest0`, what megengine's dump with input_data writes): the tag, the number N
of test cases as uint32, then N + 1 graphs, each a uint32 size and so many bytes: the model, and for each case
a graph whose outputs are the values of the model's inputs in the order of their names."""

import collections
import struct

import mge_inputs
import mge_lite
import mge_log

TAG = b"mgbtest0"


def split(data):
    """The graphs in a file's bytes, each with its size in front, which is part of its format."""
    (count,) = struct.unpack_from("<I", data, len(TAG))
    place, graphs = len(TAG) + 4, []
    for _ in range(count + 1):
        if place + 4 > len(data):
            raise mge_log.Abort("the file ends before its %d test cases do" % count)
        (size,) = struct.unpack_from("<I", data, place)
        graphs.append(data[place : place + 4 + size])
        place += 4 + size
    return graphs


def read(library, path, scratch):
    """(path of the model alone, [{input name: Value} for each test case])"""
    with open(path, "rb") as stream:
        graphs = split(stream.read())
    paths = []
    for number, graph in enumerate(graphs):
        paths.append(scratch.path("graph%d.mge" % number))
        with open(paths[-1], "wb") as stream:
            stream.write(graph)
    names = sorted(_loaded(library, paths[0], "input"))
    cases = []
    for case in paths[1:]:
        found = _loaded(library, case, "output")
        if len(found) != len(names):
            raise mge_log.failed(
                "testcase.output_var_list.size() == input_tensor.size()",
                "a test case has %d values for %d inputs" % (len(found), len(names)),
            )
        cases.append(dict(zip(names, found.values())))
    return paths[0], cases


def _loaded(library, path, which):
    """name -> Value of a graph's inputs or, after a run, outputs, in the order of the file."""
    network = mge_lite.Network(library, mge_lite.default_config())
    network.load(path)
    if which == "output":
        library.forward(network.handle)
        library.wait(network.handle)
    found = collections.OrderedDict()
    for name in network.names(which):
        tensor = network.tensor(name, 2 if which == "output" else 1)
        letter = tensor.dtype()[1]
        found[name] = mge_inputs.Value(
            mge_inputs.from_bytes(tensor.read(), letter), tensor.layout().shape, letter, "test case"
        )
    network.destroy()
    return found
