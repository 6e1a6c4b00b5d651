"""Features of published models: tiny ones, in the files that those have."""

import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from huggingface_hub import constants
from made_up_models import HEADS, LAYERS, PATCH, SIDE, WIDTHS, config_of, tensors_of, write
from scipy.special import erf, expit, softmax

import jax_al as al
from jax_al.cli import features
from jax_al.errors import UsageError
from jax_al.features import jimm as module
from jax_al.features.embedding import check_embedding, fixed_embedding
from jax_al.features.jimm_network import FAMILIES, _resized, encoder
from jax_al.features.model_files import model_files
from jax_al.features.named import features_named
from jax_al.strategies.entries import strategies_named
from tests.runs import ROOT

IMAGES = np.random.default_rng(0).integers(0, 256, (11, SIDE, SIDE, 3), np.uint8)
POOL = al.arrays(IMAGES)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory with a model of each type, called by its type."""
    root = tmp_path_factory.mktemp("models")
    for kind in FAMILIES:
        write(root / kind, kind)
    return root


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def of(directory, pool=POOL, **options):
    return al.with_features(pool, f"jimm:{directory}", cache=False, **options).read(slice(None))


def normed(x, tensors, name, epsilon):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def dense(x, tensors, name):
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def by_numpy(kind, image):
    """What is published of ViT, CLIP and DINOv2: blocks with their norms first, the class token."""
    t = {name: x.astype(np.float64) for name, x in tensors_of(kind).items()}
    D, H = WIDTHS[kind], HEADS[kind]
    mean, std = FAMILIES[kind].scaling
    x = (image / 255 - np.array(mean)) / np.array(std)
    place = {"vit": "vit.embeddings.", "dinov2": "embeddings."}.get(kind)
    if place:
        kernel = t[f"{place}patch_embeddings.projection.weight"]
        bias = t[f"{place}patch_embeddings.projection.bias"]
        first, positions = t[f"{place}cls_token"][0], t[f"{place}position_embeddings"][0]
    else:
        place = "vision_model.embeddings."
        kernel, bias = t[f"{place}patch_embedding.weight"], 0
        first = t[f"{place}class_embedding"][None]
        positions = t[f"{place}position_embedding.weight"]
    side = len(image) // PATCH
    positions = _resized(positions[None], side)[0]
    cut = x.reshape(side, PATCH, side, PATCH, 3)
    patches = np.einsum("aibjc,dcij->abd", cut, kernel).reshape(-1, D) + bias
    x = np.concatenate([first, patches]) + positions
    epsilon = {"vit": 1e-12, "dinov2": 1e-6, "clip": 1e-5}[kind]
    if kind == "clip":
        x = normed(x, t, "vision_model.pre_layrnorm", epsilon)
        block, last = "vision_model.encoder.layers.{}.", "vision_model.post_layernorm"
        names = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"]
        norms, inner = ("layer_norm1", "layer_norm2"), ("mlp.fc1", "mlp.fc2")
    else:
        names = [f"attention.attention.{word}" for word in ("query", "key", "value")]
        names.append("attention.output.dense")
        block, last, norms, inner = {
            "vit": (
                "vit.encoder.layer.{}.", "vit.layernorm", ("layernorm_before", "layernorm_after"),
                ("intermediate.dense", "output.dense"),
            ),
            "dinov2": (
                "encoder.layer.{}.", "layernorm", ("norm1", "norm2"), ("mlp.fc1", "mlp.fc2")
            ),
        }[kind]  # fmt: skip
    for layer in range(LAYERS):
        here = block.format(layer)
        y = normed(x, t, here + norms[0], epsilon)
        q, k, v = (
            dense(y, t, here + name).reshape(-1, H, D // H).transpose(1, 0, 2) for name in names[:3]
        )
        weights = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(D // H), axis=-1)
        y = dense((weights @ v).transpose(1, 0, 2).reshape(-1, D), t, here + names[3])
        x = x + y * t.get(f"{here}layer_scale1.lambda1", 1)
        y = dense(normed(x, t, here + norms[1], epsilon), t, here + inner[0])
        y = y * expit(1.702 * y) if kind == "clip" else y * (1 + erf(y / np.sqrt(2))) / 2
        x = x + dense(y, t, here + inner[1]) * t.get(f"{here}layer_scale2.lambda1", 1)
    return normed(x, t, last, epsilon)[0]


@pytest.mark.parametrize("size", [None, 20])
@pytest.mark.parametrize("kind", ["vit", "clip", "dinov2"])
def test_a_small_one_is_that_of_plain_numpy(models, kind, size):
    side = size or SIDE
    images = np.random.default_rng(1).integers(0, 256, (11, side, side, 3), np.uint8)
    found = of(models / kind, al.arrays(images), **({"size": size} if size else {}))
    assert (found.shape, found.dtype) == ((11, WIDTHS[kind]), np.float32)
    expected = np.array([by_numpy(kind, image) for image in images])
    assert expected.std(axis=0).min() > 0.005  # no feature is the same for all
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_is_loaded_and_no_image_depends_on_the_others(models, kind, monkeypatch):
    found = of(models / kind)
    assert found.shape == (11, WIDTHS[kind])
    assert np.isfinite(found).all()
    monkeypatch.setattr(module, "_PIXELS", 4 * SIDE**2)
    jax.clear_caches()
    np.testing.assert_allclose(
        of(models / kind, al.arrays(IMAGES[::-1])), found[::-1], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_state_holds_the_numbers_of_the_file_and_no_others(models, kind):
    weights = features_named(f"jimm:{models}/{kind}")[0].fit(POOL)
    found = [x.ravel() for name, x in weights.items() if "position_ids" not in name]
    given = [
        x.ravel()
        for name, x in tensors_of(kind).items()
        if not name.startswith(("classifier", "visual_projection"))
    ]
    np.testing.assert_array_equal(*(np.sort(np.concatenate(x)) for x in (found, given)))


@pytest.mark.parametrize("kind", ["siglip", "dinov3_vit"])
def test_the_others_see_another_size_too(models, kind):
    found = of(models / kind, size=2 * SIDE)
    assert 1e-3 < np.abs(found - of(models / kind)).max() < 5


def test_positions_are_interpolated_as_pytorch_does():
    grid = np.array([[1, -2, 3], [0, 5, -1], [2, 2, 7]], np.float32)
    tokens = np.concatenate([[9], grid.ravel()]).reshape(1, 10, 1)
    found = _resized(tokens, 5)[0, :, 0]
    assert found[0] == 9  # the class token's stands for no place
    # torch.nn.functional.interpolate(..., mode="bicubic", align_corners=False), PyTorch 2.13
    expected = [
        [1.45773, -0.80202, -2.67200, 0.76298, 3.96538],
        [0.42346, 0.65235, 0.93200, 0.92869, 0.86624],
        [-0.48000, 2.37200, 5.00000, 1.68800, -1.57600],
        [0.91046, 2.13253, 3.66800, 3.81243, 3.60224],
        [2.23808, 1.56973, 1.71200, 5.38371, 8.34938],
    ]
    np.testing.assert_allclose(found[1:].reshape(5, 5), expected, atol=1e-5)
    np.testing.assert_array_equal(_resized(tokens.astype(np.float32), 3), tokens)


def test_the_scale_of_pixels_is_what_the_files_say(models, tmp_path):
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    other = write(
        tmp_path / "m", "vit", preprocessor={"image_mean": mean, "image_std": std, "size": 1}
    )
    as_half = write(
        tmp_path / "n", "vit", preprocessor={"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    )
    np.testing.assert_array_equal(of(as_half), of(models / "vit"))
    assert np.abs(of(other) - of(models / "vit")).max() > 0.01


def test_they_are_kept_by_what_the_files_hold(models, tmp_path):
    def kept(where):
        cached = {"cache_dir": str(tmp_path / "c")}
        made = al.with_features(POOL, f"jimm:{where}", **cached)
        return made.read(slice(None)), len(list((tmp_path / "c" / "features").glob("*.npy")))

    first, count = kept(models / "vit")
    again, still = kept(write(tmp_path / "moved", "vit"))
    assert (count, still) == (1, 1)
    np.testing.assert_array_equal(first, again)
    other, more = kept(write(tmp_path / "moved", "vit", tensors_of("vit", seed=1)))
    assert more == 2
    assert np.abs(other - first).max() > 0.1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model_type": "swin"}, "of the type 'swin'.*has vit, clip, siglip, dinov2, dinov3_vit"),
        ({"hidden_act": "relu"}, "hidden_act 'relu' by its config.json.*computes 'gelu' or"),
        ({"num_hidden_layers": 3}, "jax-image-models cannot load jimm:.*Missing scanned layers"),
        ({"hidden_size": 15}, "jax-image-models cannot load jimm:"),
    ],
)
def test_a_config_of_another_network_is_refused(tmp_path, change, match):
    where = write(tmp_path / "m", "vit", config=config_of("vit") | change)
    with pytest.raises(UsageError, match=match):
        of(where)


def test_heads_that_the_package_would_count_otherwise_are_refused(tmp_path):
    config = config_of("siglip")
    config["vision_config"]["num_attention_heads"] = 2
    with pytest.raises(UsageError, match=r"has 2 heads of attention.*would compute 1"):
        of(write(tmp_path / "m", "siglip", config=config))


def test_weights_by_other_names_are_refused_and_not_left_at_random(tmp_path):
    bare = {name.removeprefix("vit."): x for name, x in tensors_of("vit").items()}
    with pytest.raises(UsageError, match=r"by other names, 8 in all: .* would stay random"):
        of(write(tmp_path / "bare", "vit", bare))
    lacking = tensors_of("dinov2")
    for layer in range(LAYERS):
        del lacking[f"encoder.layer.{layer}.mlp.fc1.weight"]
    with pytest.raises(UsageError, match=r"1 in all: .*mlp.* would stay random"):
        of(write(tmp_path / "lacking", "dinov2", lacking))


ASKING = """import sys
asked = []
def seen(event, values):
    if event == "socket.connect" and values[1] == ("127.0.0.1", int(sys.argv[1])):
        asked.append(values)
sys.addaudithook(seen)
from jax_al.features.model_files import model_files
try:
    model_files("somebody/some-model")
except ValueError as error:
    print(error)
print(len(asked), "asked")"""


def test_a_hub_that_cannot_be_reached_is_not_asked_again_and_again(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        there = {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"}
        environment = os.environ | there | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        words = [sys.executable, "-c", ASKING, str(port)]
        done = subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    assert "cannot be had from the Hugging Face hub (" in done.stdout
    # A question that is not repeated with pauses in between may still be two connections.
    assert 1 <= int(done.stdout.splitlines()[-1].split()[0]) <= 2


def test_what_is_not_there_is_a_sentence_that_says_what_is_wanted(tmp_path, models):
    with pytest.raises(UsageError, match=r"names a directory that is not there"):
        check_embedding(f"jimm:{tmp_path}/none")
    with pytest.raises(
        UsageError, match=r"cannot be had from the Hugging Face hub \(.*put config.json and model."
    ):
        features_named("jimm:somebody/some-model")
    where = write(tmp_path / "m", "vit")
    (where / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"m holds no model.safetensors: put config.json"):
        of(where)
    write(where, "vit")
    (where / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config.json cannot be read as JSON"):
        of(where)
    (where / "config.json").write_text("[]")
    with pytest.raises(UsageError, match=r"must hold names and values, not a list"):
        model_files(str(where))


def test_what_is_no_image_and_a_wrong_option_are_refused(models):
    where = f"jimm:{models}/vit"
    with pytest.raises(UsageError, match="vit looks at images of 1 or 3 channels, and these"):
        al.with_features(al.arrays(np.zeros((4, 5))), where, cache=False)
    with pytest.raises(UsageError, match="vit looks at images of 1 or 3 channels, and these"):
        check_embedding(where, al.arrays(np.zeros((4, 5))))
    with pytest.raises(UsageError, match="size is 13, but must be a multiple of 4, the patches"):
        of(models / "vit", size=13)
    with pytest.raises(UsageError, match="size is 0, but must be a whole number, at least 1"):
        features_named(where, size=0)
    with pytest.raises(UsageError, match="has no option 'sise'"):
        features_named(where, sise=8)


def test_a_missing_package_is_named_with_what_installs_it(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "jimm", None)
    with pytest.raises(UsageError, match=r"jax-image-models: pip install 'jax_al\[backbones\]'"):
        of(models / "vit")


def test_a_strategy_and_the_command_take_them_by_name(models, tmp_path, monkeypatch):
    where = f"jimm:{models}/dinov2"
    expected = of(models / "dinov2")
    cache = str(tmp_path / "c")
    np.testing.assert_array_equal(fixed_embedding(where, POOL, cache), expected)
    (made,) = strategies_named([f"coreset@{where}"]).items()
    assert (made[0], made[1].embedding) == ("coreset@jimm:dinov2", where)
    truth = (np.arange(11) % 2).astype(np.int32)
    bench = al.Benchmark(POOL, truth, ("a", "b"), POOL, truth)
    how = {"initial": 2, "budget": 2, "episodes": 2, "directory": tmp_path / "run"}
    rows = al.run(
        bench, learner=al.linear(penalty=0.1), strategies=["random", f"coreset@{where}"], **how
    )
    assert len(rows) == 4
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", IMAGES)
    words = [f"--features={where}", "--out=f.npy", f"--cache-dir={cache}"]
    assert features.main(["x.npy", *words]) == 0
    np.testing.assert_array_equal(np.load("f.npy"), expected)
    encoder.cache_clear()  # another process may have loaded nothing
    assert features.main(["x.npy", *words[:1], "--out=g.npy", words[2], "--part=2/2"]) == 0
    np.testing.assert_allclose(np.load("g.npy"), expected[5:], rtol=1e-4, atol=1e-5)
