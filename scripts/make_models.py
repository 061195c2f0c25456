"""Makes the bundled models, their inputs and the expected outputs with MegEngine itself.

    python scripts/make_models.py           writes farm/bundled/*, tests/golden/* and tests/wheel/models/*
    python scripts/make_models.py --check   makes them again elsewhere, compares bytes and outputs

Needs CPython 3.10 with megengine 1.13.0 and numpy. Weights are random from a fixed seed; the architectures
are ShuffleNetV2 x0.5 (Ma et al. 2018, batch normalisation folded into the convolutions) and small networks
of our own.
"""
# MegEngine has no types, and F, M, Q, G are its usual names.
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, N812

import argparse
import filecmp
import io
import json
import sys
import tempfile
from pathlib import Path

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.quantization as Q
import numpy as np
from megengine.core.tensor import megbrain_graph as G
from megengine.jit import trace
from megengine.utils import comp_graph_tools as tools

ROOT = Path(__file__).resolve().parent.parent
SEED = 20241124
TOLERANCE = 1e-5
CEILINGS = "ceilings"


class Tiny(M.Module):
    """Two convolutions and a fully connected layer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = M.Conv2d(3, 8, 3, padding=1), M.Conv2d(8, 16, 3, stride=2, padding=1)
        self.classify = M.Linear(16, 10)

    def forward(self, data):
        x = F.relu(self.second(F.relu(self.first(data))))
        return self.classify(F.mean(x, axis=(2, 3)))


class ShuffleUnit(M.Module):
    """Split, three convolutions, concatenate, shuffle; with stride 2 both branches convolve."""

    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        self.stride = stride
        half = channels_out // 2
        inside = channels_in if stride == 2 else half
        self.main = M.Sequential(
            M.Conv2d(inside, half, 1),
            M.ReLU(),
            M.Conv2d(half, half, 3, stride=stride, padding=1, groups=half),
            M.Conv2d(half, half, 1),
            M.ReLU(),
        )
        if stride == 2:
            self.side = M.Sequential(
                M.Conv2d(channels_in, channels_in, 3, stride=2, padding=1, groups=channels_in),
                M.Conv2d(channels_in, half, 1),
                M.ReLU(),
            )

    def forward(self, x):
        if self.stride == 2:
            return F.concat((self.side(x), self.main(x)), 1)
        _, c, h, w = x.shape
        pairs = x.reshape(-1, c // 2, 2, h, w)  # no fixed batch: --batch-size changes it
        return F.concat((pairs[:, :, 0], self.main(pairs[:, :, 1])), 1)


class ShuffleNetV2(M.Module):
    """Width x0.5: stages of 48, 96 and 192 channels with 4, 8 and 4 units, 1000 classes."""

    def __init__(self):
        super().__init__()
        self.stem = M.Sequential(
            M.Conv2d(3, 24, 3, stride=2, padding=1), M.ReLU(), M.MaxPool2d(3, stride=2, padding=1)
        )
        units, channels = [], 24
        for width, repeats in ((48, 4), (96, 8), (192, 4)):
            for index in range(repeats):
                units.append(ShuffleUnit(channels, width, 2 if index == 0 else 1))
                channels = width
        self.stages = M.Sequential(*units)
        self.last = M.Sequential(M.Conv2d(channels, 1024, 1), M.ReLU())
        self.classify = M.Linear(1024, 1000)

    def forward(self, data):
        x = self.last(self.stages(self.stem(data)))
        return self.classify(F.mean(x, axis=(2, 3)))


class TwoInputs(M.Module):
    """A uint8 image, height x width x channels as a PPM file has it, and a vector of weights."""

    def __init__(self):
        super().__init__()
        self.conv, self.classify = M.Conv2d(3, 8, 3, stride=2, padding=1), M.Linear(8, 10)

    def forward(self, image, weights):
        x = image.astype("float32").transpose(0, 3, 1, 2) / 255.0 - 0.5
        return self.classify(F.mean(F.relu(self.conv(x)), axis=(2, 3))) * weights


class Int8(M.Module):
    """Three convolutions and a residual sum, all in 8 bits between the two stubs."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = M.QuantStub(), M.DequantStub()
        self.first = M.ConvRelu2d(3, 16, 3, stride=2, padding=1)
        self.second, self.third = M.ConvRelu2d(16, 16, 3, padding=1), M.Conv2d(16, 16, 3, padding=1)
        self.add = M.Elemwise("fuse_add_relu")

    def forward(self, data):
        x = self.first(self.quant(data))
        return self.dequant(self.add(self.third(self.second(x)), x))


class Product(M.Module):
    """A matrix product of two inputs: what a device can compute."""

    def forward(self, data, other):
        return F.matmul(data, other)


class Elementwise(M.Module):
    """Three operators, the last one on what the first two wrote: what a device can move."""

    def forward(self, data):
        return F.maximum(data + 1.0, data - 1.0)


class Pooled(M.Module):
    """Elementwise operators around one that looks at `window` x `window` neighbours: as slow as one likes."""

    def __init__(self, window):
        super().__init__()
        self.pool = M.AvgPool2d(window, stride=1, padding=window // 2)

    def forward(self, data):
        return F.mean(F.relu(self.pool(data + 1.0)) * 2.0, axis=(2, 3))


def fill(module, random):
    """Weights and biases of every layer: normal, scaled so that the signal lives (He et al. 2015)."""
    for name, parameter in sorted(module.named_parameters()):
        shape = parameter.shape
        fan_in = int(np.prod(shape[-3:])) if len(shape) > 3 else shape[-1]
        scale = 0.05 if name.endswith("bias") else np.sqrt(2.0 / fan_in)
        parameter[...] = mge.Tensor((random.standard_normal(shape) * scale).astype(np.float32))
    module.eval()
    return module


def quantised(module, samples):
    """8-bit version of `module`: ranges observed on `samples`, then real integer operators."""
    Q.quantize_qat(module, qconfig=Q.min_max_fakequant_qconfig)
    Q.enable_observer(module)
    module.train()
    for sample in samples:
        module(mge.Tensor(sample))
    Q.disable_observer(module)
    module.eval()
    module = Q.quantize(module)
    module.eval()
    return module


def dump(module, names, arrays, path, *, keep_names=True, **more):
    """The model file; variable and operator names are kept so that profiles and dumps can be read."""

    @trace(symbolic=True, capture_as_const=True)
    def forward(*inputs):
        return module(*inputs)

    forward(*[mge.Tensor(array) for array in arrays])
    buffer = io.BytesIO()
    more.setdefault("no_assert", True)
    forward.dump(
        buffer,
        arg_names=names,
        output_names=["out"],
        optimize_for_inference=False,
        keep_var_name=1,
        keep_opr_name=keep_names,
        **more,
    )
    path.write_bytes(buffer.getvalue())


def run(path, feeds):
    """What MegEngine computes for a model file: its first output as an array."""
    result = G.load_graph(io.BytesIO(path.read_bytes()))
    variables = result.output_vars_list
    inputs = tools.get_dep_vars(variables, "Host2DeviceCopy")
    variables, _ = tools.embed_inputs(variables, [feeds[var.name] for var in inputs], inputs=inputs)
    variables, outputs = tools.convert_outputs(variables)
    function = result.graph.compile(variables)
    function.execute()
    function.wait()
    return next(iter(outputs.values())).get_value().numpy()


def write_odd_models(module, feeds, folder):
    """For tests: two_inputs with operators that have no names, and with a test case and its output; and a
    model twice, of which one operator is much slower.
    """
    names, arrays = list(feeds), list(feeds.values())
    dump(module, names, arrays, folder / "unnamed.mge", keep_names=False)
    with tempfile.TemporaryDirectory() as scratch:
        for name, array in feeds.items():
            np.save(f"{scratch}/{name}.npy", array)
        case = ";".join(f"{name}:{scratch}/{name}.npy" for name in names)
        dump(module, names, arrays, folder / "testcase.mge", input_data=[case], no_assert=False, maxerr=1e-3)
    for window in (3, 25):
        array = np.zeros((1, 8, 64, 64), np.float32)
        dump(Pooled(window), ["data"], [array], folder / f"pool-{window}.mge")


def write_ceilings(folder):
    """The two models that measure a device's ceilings. No weights, and inputs of zeros unless others are
    given: a kilobyte each. 16 Mi elements are 64 MiB, more than most caches.
    """
    folder.mkdir(parents=True, exist_ok=True)
    square, long = np.zeros((1024, 1024), np.float32), np.zeros((16, 1024, 1024), np.float32)
    dump(Product(), ["data", "other"], [square, square], folder / "product.mge")
    dump(Elementwise(), ["data"], [long], folder / "elementwise.mge")


def make(folder, golden, odd):
    """Writes everything; every golden output is computed from the file as written."""
    for place in (folder, golden, odd):
        place.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(SEED)

    def image(*shape):
        return random.standard_normal(shape).astype(np.float32)

    def pixels(*shape):
        return random.randint(0, 256, shape).astype(np.uint8)

    weights = np.linspace(0.5, 1.5, 10, dtype=np.float32).reshape(1, 10)
    models = [
        ("tiny", fill(Tiny(), random), {"data": image(1, 3, 16, 16)}),
        # few different numbers: git and ssh compress the file well
        (
            "shufflenet_v2_x0_5",
            fill(ShuffleNetV2(), random),
            {"data": np.rint(image(1, 3, 224, 224) * 50) / 32},
        ),
        ("two_inputs", fill(TwoInputs(), random), {"image": pixels(1, 32, 32, 3), "weights": weights}),
        (
            "int8",
            quantised(fill(Int8(), random), [image(1, 3, 32, 32) for _ in range(4)]),
            {"data": image(1, 3, 32, 32)},
        ),
    ]
    write_odd_models(models[2][1], models[2][2], odd)
    write_ceilings(folder / CEILINGS)
    facts = {}
    for name, module, feeds in models:
        path = folder / f"{name}.mge"
        dump(module, list(feeds), list(feeds.values()), path)
        inputs = []
        for key, value in feeds.items():
            file = f"{name}.{key}.npy"
            np.save(folder / file, value)
            inputs.append(f"{key}:{file}")
        out = run(path, feeds)
        np.save(golden / f"{name}.npy", out)
        facts[name] = {
            "file": path.name,
            "input": inputs,
            "inputs": {
                key: {"shape": list(value.shape), "dtype": str(value.dtype)} for key, value in feeds.items()
            },
            "outputs": {"out": {"shape": list(out.shape), "dtype": str(out.dtype)}},
        }
    other_forms(folder, golden)
    (folder / "models.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def other_forms(folder, golden):
    """The forms of --input other than .npy, of the same small numbers, with the outputs they must give."""
    picture = np.load(folder / "two_inputs.image.npy")
    _, height, width, _ = picture.shape
    (folder / "two_inputs.image.ppm").write_bytes(f"P6\n{width} {height} 255\n".encode() + picture.tobytes())
    ramp = (np.arange(10) / 4).astype(np.float32).reshape(1, 10)
    item = {"shape": [1, 10], "type": "float32", "raw": ramp.ravel().tolist()}
    (folder / "two_inputs.weights.json").write_text(json.dumps({"weights": item}) + "\n")
    np.save(
        golden / "two_inputs.ramp.npy", run(folder / "two_inputs.mge", {"image": picture, "weights": ramp})
    )


def check(folder, golden, odd):
    """Messages about files that differ from freshly made ones or from what MegEngine computes."""
    wrong = []
    with tempfile.TemporaryDirectory() as scratch:
        fresh, outputs, others = Path(scratch) / "models", Path(scratch) / "golden", Path(scratch) / "odd"
        make(fresh, outputs, others)
        pairs = [(file, folder / file.relative_to(fresh)) for file in fresh.rglob("*") if file.is_file()]
        for made, kept in pairs + [(file, odd / file.name) for file in others.iterdir()]:
            if not kept.exists() or not filecmp.cmp(made, kept, shallow=False):
                wrong.append(f"{kept.name} is not what this script makes")
        for made in outputs.iterdir():
            kept = golden / made.name
            if not kept.exists() or not np.allclose(np.load(made), np.load(kept), rtol=TOLERANCE, atol=1e-6):
                wrong.append(f"golden {kept.name} is not what MegEngine computes")
    return wrong


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    folder, golden = ROOT / "farm" / "bundled", ROOT / "tests" / "golden"
    odd = ROOT / "tests" / "wheel" / "models"
    if arguments.check:
        wrong = check(folder, golden, odd)
        print("\n".join(wrong) or "all models, inputs and outputs are what MegEngine makes")
        return bool(wrong)
    make(folder, golden, odd)
    for file in sorted([*folder.glob("**/*.*"), *golden.iterdir(), *odd.iterdir()]):
        print(f"{file.stat().st_size:>9} {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
