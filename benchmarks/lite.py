"""EfficientNet-Lite: is it PyTorch's, how fast beside it, and which way to compute it is fastest?

    python benchmarks/lite.py [--size 96] [--images 256] [--rounds 5]

Wants the extras `pretrained` and `bench`. Random images of 32x32 pixels. PyTorch's package gets
what ours makes of them, resized and scaled, so resizing is in our time and not in its; each way
computes all images once a round, one way after the other, and medians over the rounds are told: of
images a second, and of the CPU time of all threads an image, which says more on a busy machine
(but for threads that wait by spinning, as PyTorch's do: hence one thread, too). Then the classes of
scikit-learn's two sample pictures, by the classifiers in the same files.
"""

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import numpy as np
from jax import lax
from sklearn.datasets import load_sample_images

from benchmarks import setting
from jax_al.features import lite as ours
from jax_al.features import lite_network
from jax_al.features.lite_weights import folded, weights_file
from jax_al.features.torch_file import read_tensors

try:
    import torch
    from efficientnet_lite_pytorch import EfficientNet
except ImportError:
    sys.exit("benchmarks/lite.py compares with PyTorch: pip install 'jax_al[bench]'")

NATIVE = {"lite0": 224, "lite1": 240, "lite2": 260}
CHUNKS = (1, 2, 4, 8, 16, 64)
# Of the classes that come out, in ImageNet's order (by WordNet id).
CLASSES = {
    108: "sea anemone", 309: "bee", 310: "ant", 442: "bell cote",
    449: "boathouse", 483: "castle", 497: "church", 574: "golf ball",
    599: "honeycomb", 698: "palace", 738: "flowerpot", 832: "stupa",
    920: "traffic light", 947: "mushroom", 949: "strawberry", 950: "orange",
    957: "pomegranate", 975: "lakeside", 985: "daisy", 988: "acorn",
    992: "agaric", 994: "stinkhorn",
}  # fmt: skip

Run = Callable[[], Any]


def by_torch(
    name: str, images: np.ndarray, together: int, layout: torch.memory_format, threads: int
) -> Run:
    """Returns what computes features of float32 [B, size, size, 3] by PyTorch's package."""
    net = EfficientNet.from_pretrained(
        f"efficientnet-{name}", weights_path=str(weights_file(name)), image_size=images.shape[1]
    )
    net = net.eval().to(memory_format=layout)
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def run() -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            parts = [net.extract_features(x).mean((2, 3)) for x in inputs.split(together)]
        return torch.cat(parts).numpy()

    return run


def by_us(name: str, images: np.ndarray, size: int, together: int, **changes: Any) -> Run:
    """Returns what computes features of uint8 images; `changes` are other parts of the network."""
    strides = lite_network.strides_of(ours.DEPTHS[name])
    weights = jax.device_put(folded(read_tensors(weights_file(name)), len(strides)))
    apply = functools.partial(ours.apply_network.__wrapped__, size=size, strides=strides)
    pixels = together * size**2
    with mock.patch.dict(vars(lite_network), changes), mock.patch.object(ours, "_PIXELS", pixels):
        program = jax.jit(apply).lower(weights, images).compile()
    return lambda: np.asarray(program(weights, images))


def grouped(weights: Any, name: str, x: jax.Array, stride: int) -> jax.Array:
    """XLA's convolution of each channel by itself."""
    kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
    found = lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", feature_group_count=x.shape[-1],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    return found + bias[None, None, None]


def one_by_one(weights: Any, name: str, x: jax.Array) -> jax.Array:
    """A convolution of 1x1 in place of a matrix product."""
    return lite_network._full(weights, name, x, 1)


def barred(x: jax.Array, size: int, stride: int) -> list[jax.Array]:
    """The padded images are written down before they are shifted."""
    pads = lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), "SAME")
    x = lax.optimization_barrier(jax.numpy.pad(x, ((0, 0), *pads, (0, 0))))
    return [
        x[:, i : x.shape[1] - size + 1 + i : stride, j : x.shape[2] - size + 1 + j : stride]
        for i in range(size)
        for j in range(size)
    ]


def clock(ways: dict[str, Run], images: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Returns images a second, and CPU milliseconds an image, of each way."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            run()
            if number:  # the first one warms up
                spent = time.perf_counter() - start, time.process_time() - busy
                seconds[name].append(spent)
    medians = {name: np.median(found, axis=0) for name, found in seconds.items()}
    return {name: (images / wall, 1e3 * cpu / images) for name, (wall, cpu) in medians.items()}


def classes(name: str, size: int) -> list[str]:
    """Returns the three likeliest classes of each sample picture."""
    pictures = np.stack(load_sample_images().images)
    classifier = read_tensors(weights_file(name))
    logits = by_us(name, pictures, size, 1)() @ classifier["_fc.weight"].T + classifier["_fc.bias"]
    best = np.argsort(-logits, axis=1)[:, :3].tolist()
    return [", ".join(f"{CLASSES.get(k, '?')} ({k})" for k in row) for row in best]


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "lite.md")
    arguments = parser.parse_args()
    size, shape = arguments.size, (arguments.images, 32, 32, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    seen = np.asarray(ours._seen(jax.numpy.asarray(images), size))
    whole, last = torch.contiguous_format, torch.channels_last
    ways = {f"ours, {n} together": by_us("lite0", images, size, n) for n in CHUNKS}
    chosen = max(1, ours._PIXELS // size**2)
    other = {
        "padded first": {"_shifted": barred},
        "1x1 as convolution": {"_pointwise": one_by_one},
        "grouped convolution": {"_depthwise": grouped},
    }
    ways |= {
        f"ours, {chosen} together, {name}": by_us("lite0", images, size, chosen, **change)
        for name, change in other.items()
    }
    for together in (8, 32):
        for threads in (1, torch.get_num_threads()):
            for layout, word in ((whole, "channels first"), (last, "channels last")):
                key = f"PyTorch, {together} together, {word}, threads: {threads}"
                ways[key] = by_torch("lite0", seen, together, layout, threads)
    before = os.getloadavg()[0]
    found = clock(ways, arguments.images, arguments.rounds)
    after = os.getloadavg()[0]
    with setting.written(arguments.out) as lines:
        lines += [
            "# EfficientNet-Lite",
            "",
            f"`python benchmarks/lite.py --size {size} --images {arguments.images} --rounds "
            f"{arguments.rounds}`: {setting.machine()}, PyTorch {torch.__version__}; load average "
            f"{before:.1f} before and {after:.1f} after.",
            "",
            f"lite0 at {size} pixels, medians of {arguments.rounds} rounds:",
            "",
            "| way | images/s | CPU ms an image |",
            "|---|---:|---:|",
            *(f"| {name} | {rate:,.0f} | {cpu:.2f} |" for name, (rate, cpu) in found.items()),
            "",
            "Agreement with PyTorch's package on the same files and pixels:",
            "",
            "| network | pixels | largest feature | largest difference |",
            "|---|---:|---:|---:|",
        ]
        for name, native in NATIVE.items():
            for side in (96, native):
                few = images[:16]
                theirs = by_torch(name, np.asarray(ours._seen(few, side)), 16, whole, 1)()
                gap = np.abs(by_us(name, few, side, 1)() - theirs).max()
                lines.append(f"| {name} | {side} | {theirs.max():.2f} | {gap:.1e} |")
        lines += [
            "",
            "The likeliest classes of scikit-learn's sample pictures:",
            "",
            "| network | pixels | china.jpg | flower.jpg |",
            "|---|---:|---|---|",
        ]
        for name, native in NATIVE.items():
            for side in (96, native):
                lines.append(f"| {name} | {side} | {' | '.join(classes(name, side))} |")


if __name__ == "__main__":
    main()
