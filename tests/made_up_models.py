"""Tiny models with random weights, in the files that published ones have."""

import json

import numpy as np
from safetensors.numpy import save_file

SIDE, PATCH = 12, 4  # pixels: 3 x 3 patches
WIDTHS = {"vit": 12, "clip": 64, "siglip": 64, "dinov2": 12, "dinov3_vit": 16}
HEADS = {"vit": 3, "clip": 1, "siglip": 1, "dinov2": 3, "dinov3_vit": 2}
LAYERS = 2


def config_of(kind):
    """What `config.json` says of a model of that type."""
    D = WIDTHS[kind]
    inner = {
        "hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS[kind],
        "intermediate_size": 4 * D, "image_size": SIDE, "patch_size": PATCH,
    }  # fmt: skip
    if kind == "dinov2":
        return {"model_type": kind, **inner, "mlp_ratio": 4, "hidden_act": "gelu"}
    if kind in ("clip", "siglip"):
        text = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
        return {"model_type": kind, "vision_config": inner, "text_config": text}
    more = {"num_register_tokens": 2} if kind == "dinov3_vit" else {"num_labels": 5}
    return {"model_type": kind, **inner, **more}


def tensors_of(kind, seed=0):
    """The weights by PyTorch's names."""
    rng, D, n = np.random.default_rng(seed), WIDTHS[kind], (SIDE // PATCH) ** 2
    found = {}

    def put(name, *shape, scale=0.3, about=0.0):
        found[name] = rng.normal(about, scale, shape).astype(np.float32)

    def dense(name, cin, cout, *, is_biased=True):
        put(f"{name}.weight", cout, cin, scale=1 / np.sqrt(cin))
        if is_biased:
            put(f"{name}.bias", cout)

    def norm(name):
        put(f"{name}.weight", D, about=1.0)
        put(f"{name}.bias", D)

    # Of each type: where a block is, its attention, its norms, its perceptron, its last norm.
    block, attention, out, norms, inner, last = {
        "vit": (
            "vit.encoder.layer.{}.", ("attention.attention.query", "attention.attention.key",
            "attention.attention.value"), "attention.output.dense",
            ("layernorm_before", "layernorm_after"), ("intermediate.dense", "output.dense"),
            "vit.layernorm",
        ),
        "dinov2": (
            "encoder.layer.{}.", ("attention.attention.query", "attention.attention.key",
            "attention.attention.value"), "attention.output.dense", ("norm1", "norm2"),
            ("mlp.fc1", "mlp.fc2"), "layernorm",
        ),
        "dinov3_vit": (
            "layer.{}.", ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
            "attention.o_proj", ("norm1", "norm2"), ("mlp.up_proj", "mlp.down_proj"), "norm",
        ),
    }.get(kind) or (
        "vision_model.encoder.layers.{}.", ("self_attn.q_proj", "self_attn.k_proj",
        "self_attn.v_proj"), "self_attn.out_proj", ("layer_norm1", "layer_norm2"),
        ("mlp.fc1", "mlp.fc2"), "vision_model.post_layernorm",
    )  # fmt: skip
    for layer in range(LAYERS):
        here = block.format(layer)
        for name in attention:
            is_key_of_3 = kind == "dinov3_vit" and name.endswith("k_proj")
            dense(here + name, D, D, is_biased=not is_key_of_3)
        dense(here + out, D, D)
        for name in norms:
            norm(here + name)
        dense(here + inner[0], D, 4 * D)
        dense(here + inner[1], 4 * D, D)
        if kind.startswith("dino"):
            put(f"{here}layer_scale1.lambda1", D)
            put(f"{here}layer_scale2.lambda1", D)
    norm(last)
    if kind in ("vit", "dinov2"):
        place = "vit.embeddings." if kind == "vit" else "embeddings."
        put(f"{place}cls_token", 1, 1, D)
        put(f"{place}position_embeddings", 1, n + 1, D)
        put(f"{place}patch_embeddings.projection.weight", D, 3, PATCH, PATCH)
        put(f"{place}patch_embeddings.projection.bias", D)
    elif kind == "dinov3_vit":
        put("embeddings.cls_token", 1, 1, D)
        put("embeddings.register_tokens", 1, 2, D)
        put("embeddings.patch_embeddings.weight", D, 3, PATCH, PATCH)
        put("embeddings.patch_embeddings.bias", D)
    else:
        put("vision_model.embeddings.patch_embedding.weight", D, 3, PATCH, PATCH)
        positions = n + (kind == "clip")
        put("vision_model.embeddings.position_embedding.weight", positions, D)
    if kind == "vit":
        dense("classifier", D, 5)
    if kind == "clip":
        put("vision_model.embeddings.class_embedding", D)
        norm("vision_model.pre_layrnorm")
        dense("visual_projection", D, 64, is_biased=False)
    if kind == "siglip":
        put("vision_model.embeddings.patch_embedding.bias", D)
        put("vision_model.head.probe", 1, 1, D)
        norm("vision_model.head.layernorm")
        put("vision_model.head.attention.in_proj_weight", 3 * D, D)
        put("vision_model.head.attention.in_proj_bias", 3 * D)
        dense("vision_model.head.attention.out_proj", D, D)
        dense("vision_model.head.mlp.fc1", D, 4 * D)
        dense("vision_model.head.mlp.fc2", 4 * D, D)
    return found


def write(directory, kind, tensors=None, config=None, preprocessor=None):
    """Writes a model; what is not given is as above. Returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = tensors_of(kind) if tensors is None else tensors
    save_file(tensors, directory / "model.safetensors")
    config = config_of(kind) if config is None else config
    (directory / "config.json").write_text(json.dumps(config))
    if preprocessor is not None:
        (directory / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return directory
