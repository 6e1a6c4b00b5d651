"""Published backbones: are our features those of transformers on the same files, and how fast?

    python benchmarks/backbones.py [--images 32] [--rounds 3]

Wants the extras `backbones` and `bench`. Nothing is downloaded: small models with random weights,
written by transformers, at the size they were made for and at another one (for which transformers
interpolates the embeddings of positions); and the time of one as large as ViT-S/16 at 224 pixels,
images already resized for both, medians of rounds one beside the other.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import numpy as np

from benchmarks import setting
from jax_al.features import jimm as ours
from jax_al.features.jimm_network import encoder
from jax_al.pools.arrays import arrays

try:
    import torch
    import transformers
except ImportError:
    sys.exit("benchmarks/backbones.py compares with transformers: pip install 'jax_al[bench]'")

SIDE, OTHER = 32, 48
CHUNKS = (1, 4, 8, 16)


def small(**more: Any) -> dict[str, Any]:
    """Returns the sizes of a model of two layers."""
    given = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    return given | {"intermediate_size": 512, "image_size": SIDE, "patch_size": 8} | more


def models() -> dict[str, Any]:
    """Returns a model of each family."""
    text = {"vocab_size": 50, "max_position_embeddings": 8, "eos_token_id": 1, "bos_token_id": 2}
    both = {"text_config": small() | text, "vision_config": small(), "projection_dim": 128}
    return {
        "ViT": transformers.ViTForImageClassification(
            transformers.ViTConfig(**small(num_labels=7))
        ),
        "CLIP": transformers.CLIPModel(transformers.CLIPConfig(**both)),
        "SigLIP": transformers.SiglipModel(transformers.SiglipConfig(**both)),
        "DINOv2": transformers.Dinov2Model(transformers.Dinov2Config(**small(mlp_ratio=4))),
        "DINOv3": transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**small())),
    }


def at_random(model: Any) -> Any:
    """Gives all weights values that matter; the initial ones hide mistakes."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, x in model.named_parameters():
            x.copy_(0.1 * torch.randn_like(x) + float("norm" in name and x.ndim == 1))
    return model.eval()


def theirs(model: Any, x: np.ndarray, **options: Any) -> np.ndarray:
    """Returns the features of float32 [B, size, size, 3] by transformers."""
    tower = getattr(model, "vit", getattr(model, "vision_model", model))
    with torch.inference_mode():
        found = tower(torch.from_numpy(x).permute(0, 3, 1, 2), **options)
    is_vit = isinstance(model, transformers.ViTForImageClassification)
    return (found.last_hidden_state[:, 0] if is_vit else found.pooler_output).numpy()


def scaled(images: np.ndarray, where: str, size: int) -> np.ndarray:
    """Returns what a model sees of images that have its size."""
    files = ours.model_files(where)
    network = encoder(where, files.digest(), size)
    return ((images / 255 - np.array(network.mean)) / np.array(network.std)).astype(np.float32)


def clock(ways: dict[str, Any], images: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Returns images a second, and CPU milliseconds an image, of each way."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            run()
            if number:  # the first one warms up
                spent[name].append((time.perf_counter() - start, time.process_time() - busy))
    medians = {name: np.median(found, axis=0) for name, found in spent.items()}
    return {name: (images / wall, 1e3 * cpu / images) for name, (wall, cpu) in medians.items()}


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "backbones.md")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for name, made in models().items():
            model, where = at_random(made), f"{root}/{name}"
            model.save_pretrained(where)
            for size in (SIDE, OTHER):
                images = rng.integers(0, 256, (8, size, size, 3), np.uint8)
                features = ours.jimm(where, size=size)
                found = np.asarray(features.apply(features.fit(arrays(images)), images))
                more = (
                    {} if name == "DINOv3" or size == SIDE else {"interpolate_pos_encoding": True}
                )
                if name == "DINOv2":
                    more = {}  # it interpolates of its own
                expected = theirs(model, scaled(images, where, size), **more)
                gap = np.abs(found - expected).max()
                rows.append(f"| {name} | {size} | {np.abs(expected).max():.2f} | {gap:.1e} |")
        config = transformers.ViTConfig(
            num_labels=7, hidden_size=384, num_attention_heads=6, intermediate_size=1536
        )
        model, where = at_random(transformers.ViTForImageClassification(config)), f"{root}/large"
        model.save_pretrained(where)
        images = rng.integers(0, 256, (arguments.images, 224, 224, 3), np.uint8)
        seen = scaled(images, where, 224)
        network = encoder(where, ours.model_files(where).digest(), 224)
        weights = jax.device_put(network.weights)

        def by_us(together: int) -> Any:
            ours._PIXELS = together * 224**2
            given = network.function, 224, network.mean, network.std
            with ours.in_one_mesh():
                program = ours._apply.lower(weights, images, *given).compile()
            return lambda: np.asarray(program(weights, images))

        def by_torch(threads: int) -> Any:
            def run() -> Any:
                torch.set_num_threads(threads)
                return [theirs(model, seen[k : k + 8]) for k in range(0, len(seen), 8)]

            return run

        ways = {}
        for together in CHUNKS:
            jax.clear_caches()
            ways[f"ours, {together} together"] = by_us(together)
        ways |= {f"transformers, 8 together, threads: {n}": by_torch(n) for n in (1, 2)}
        before = os.getloadavg()[0]
        times = clock(ways, arguments.images, arguments.rounds)
    with setting.written(arguments.out) as lines:
        lines += [
            "# Published backbones",
            "",
            f"`python benchmarks/backbones.py --images {arguments.images} --rounds "
            f"{arguments.rounds}`: {setting.machine()}, PyTorch {torch.__version__}, transformers "
            f"{transformers.__version__}; load average {before:.1f} before and "
            f"{os.getloadavg()[0]:.1f} after.",
            "",
            "Small models with random weights, made for 32 pixels in patches of 8:",
            "",
            "| model | pixels | largest feature | largest difference |",
            "|---|---:|---:|---:|",
            *rows,
            "",
            f"ViT-S/16 at 224 pixels, medians of {arguments.rounds} rounds:",
            "",
            "| way | images/s | CPU ms an image |",
            "|---|---:|---:|",
            *(f"| {name} | {rate:,.1f} | {cpu:.0f} |" for name, (rate, cpu) in times.items()),
        ]


if __name__ == "__main__":
    main()
