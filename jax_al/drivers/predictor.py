"""A trained model as a file, and what predicts from it: without the workdir and without the pool.

The file holds the State of the learner, and of the features what was fitted on the pool. What a
pretrained network comes with is named by its hash, and must be installed where it is loaded.
"""

import hashlib
import importlib.metadata
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jax_al.drivers.checks import check_pool_like
from jax_al.drivers.engine import Engine, Looking, MakeLearner
from jax_al.drivers.model_file import read_model, write_model
from jax_al.drivers.remade import features_made, learner_made, predicting
from jax_al.errors import UsageError
from jax_al.features.lite_weights import weights_file
from jax_al.features.named import FromFile
from jax_al.features.pool import FeaturePool, Fitted, is_of_package, with_features
from jax_al.learners.naming import described
from jax_al.outside import expanded
from jax_al.pools.arrays import arrays
from jax_al.pools.folder import folder
from jax_al.pools.rows import base_of
from jax_al.types import Benchmark, Learner, Pool, Spec

_MOST = 1 << 31  # bytes of an example
_STATE, _FEATURES = "state", "features"  # where their arrays are in the file


def save_model(
    path: str | Path,
    *,
    pool: Pool,
    classes: tuple[str, ...],
    learner: MakeLearner,
    state: Any,
    facts: dict[str, Any],
) -> None:
    """Writes what is needed to predict as one file.

    Args:
      path: of the file; another model of that name is replaced.
      pool: of which the learner was trained, with features or without.
      classes: C names, in the order of what the learner predicts.
      learner: what made the learner.
      state: of it, trained.
      facts: what else is to be known of the model, such as `digest`; what JSON can hold.

    Raises:
      UsageError: the learner works on the host or cannot be made again by its name, or the
        features are not ours; or `path` is none, or there is something else of that name.
    """
    place = expanded(path)
    if learner(pool.spec, len(classes)).on_host:
        raise UsageError(
            f"The learner {described(learner)} works on the host, where only a pickle could keep "
            "it, and unpickling runs code: export the predictions, or take a learner in JAX."
        )
    name = predicting(learner)
    links, kept = _features_kept(pool)
    base = base_of(pool)
    # What is written is made again here, so that whatever is wrong is told now and not on loading.
    made = learner_made(name, allow_outside=True)(pool.spec, len(classes))
    found = _named(state)
    if _shapes(found) != _shapes(_named(_like(made, pool.spec))):
        raise UsageError(
            f"The State of the learner {name} has other arrays than one that is made by its name."
        )
    told = {
        "jax_al": importlib.metadata.version("jax_al"),
        "classes": list(classes),
        "examples": _said(base.spec) | {"fit": getattr(base, "fit", None)},
        "features": links,
        "learner": {"name": name, **_said(pool.spec)},
        **facts,
    }
    arrays_kept = {f"{_STATE}/{key}": np.asarray(array) for key, array in found.items()} | kept
    write_model(place, told, arrays_kept)


def load_predictor(path: str | Path, *, allow_outside: bool = False) -> "Predictor":
    """Returns what predicts as the session did whose `export` wrote the file.

    Args:
      path: of the file.
      allow_outside: whether a learner that is a function of yours, `module:function`, may be
        imported: a file of a stranger could name any function.

    Raises:
      UsageError: there is no such file; it is something else, damaged, or of a newer format; what
        it names is not installed, or is another version.
    """
    path = expanded(path)
    facts, kept = read_model(path)
    try:
        return _predictor(facts, kept, allow_outside)
    except UsageError as error:
        raise UsageError(f"{path} cannot be used: {error}") from error
    except Exception as error:  # whatever it is made of, it was not written by us
        said = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path} cannot be used as a model of jax_al ({said}).") from error


class Predictor:
    """A trained model.

    Attributes:
      classes: the names of the C classes.
      spec: of an example.
      fit: how pictures of a folder become squares, see `folder`; None: the model does not tell.
      digest: of the trained State, as on record.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        spec: Spec,
        fit: str | None,
        digest: str,
        fitted: tuple[Fitted, ...],
        engine: Engine,
        state: Any,
    ) -> None:
        """See `load_predictor`."""
        self.classes, self.spec, self.fit, self.digest = classes, spec, fit, digest
        self._fitted, self._engine, self._state = fitted, engine, state

    def __call__(self, examples: Pool | np.ndarray | str | Path) -> np.ndarray:
        """Returns the probabilities, float32 [n, C].

        Args:
          examples: a pool; an array uint8 [n, H, W, channels] or of numbers [n, ...]; or the path
            of a folder, whose pictures are those of `al.folder(path)` in the same order.

        Raises:
          UsageError: they are of another shape than those that the model was trained on.
        """
        pool = self.pool(examples)
        if self._fitted:  # read as features that may be others than the model's own
            pool = base_of(pool)
        if pool.spec != self.spec:
            wanted = f"{self.spec.dtype} {self.spec.shape}"
            size = f": al.folder(..., size={self.spec.shape[0]})" if self.spec.is_image else ""
            raise UsageError(
                f"The examples are {pool.spec.dtype} {pool.spec.shape}, and those of the model "
                f"{wanted}{size}."
            )
        fit = getattr(pool, "fit", None)
        if None not in (fit, self.fit) and fit != self.fit:
            raise UsageError(
                f"The pictures were made squares by fit={fit!r}, and those of the model by "
                f"{self.fit!r}: al.folder(..., fit={self.fit!r})."
            )
        if self._fitted:
            pool = with_features(pool, self._fitted, cache=False)
        return np.exp(self._engine.predict(self._state, pool))

    def pool(self, examples: Pool | np.ndarray | str | Path) -> Pool:
        """Returns examples as a pool, whose `ids` tell what is predicted.

        Args:
          examples: as for a call.

        Raises:
          UsageError: they cannot be one.
        """
        if isinstance(examples, str | Path):
            if not self.spec.is_image or self.fit is None:
                raise UsageError(
                    "The model was not trained on the pictures of a folder: give it a pool, or an "
                    "array."
                )
            return folder(examples, size=self.spec.shape[0], fit=self.fit)
        if isinstance(examples, np.ndarray):
            return arrays(examples)
        check_pool_like("examples", examples)
        return examples


def _predictor(facts: dict[str, Any], kept: dict[str, Any], allow_outside: bool) -> Predictor:
    classes = tuple(facts["classes"])
    if len(set(classes)) < len(classes) or not all(type(one) is str for one in classes):
        raise ValueError("its classes are no distinct names")
    spec, features_spec = _spec(facts["examples"]), _spec(facts["learner"])
    fitted = tuple(
        _fitted(link, _under(f"{_FEATURES}/{place}", kept), spec)
        for place, link in enumerate(facts["features"])
    )
    make = learner_made(facts["learner"]["name"], allow_outside=allow_outside)
    # Nothing of the pool is needed but its shapes, which two examples of them tell.
    engine = Engine(Benchmark(_two(features_spec), None, classes), make, Looking())
    like = _like(engine.learner, features_spec)
    found, names = _under(_STATE, kept), _named(like)
    if _shapes(found) != _shapes(names):
        raise ValueError("its State does not fit its learner")
    state = jax.tree.unflatten(jax.tree.structure(like), [found[name] for name in names])
    fit = facts["examples"]["fit"]
    return Predictor(classes, spec, fit, str(facts.get("digest", "")), fitted, engine, state)


def _features_kept(pool: Pool) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Returns what is written of the features of a pool: their names, and what was fitted."""
    links: list[dict[str, Any]] = []
    kept: dict[str, np.ndarray] = {}
    for place, (features, state) in enumerate(pool.fitted if isinstance(pool, FeaturePool) else ()):
        if isinstance(features, FromFile):
            raise UsageError(
                f"{features.path} holds features of one pool only, so no other could be predicted: "
                "take al.arrays of that matrix as the pool."
            )
        if not is_of_package(features):
            raise UsageError(
                f"The features {features.name} are a function of yours, which a file cannot hold: "
                "export the predictions, or take features of jax_al."
            )
        features_made(features.name)
        links.append({"name": features.name})
        if features.is_learned:
            kept |= {f"{_FEATURES}/{place}/{key}": np.asarray(x) for key, x in state.items()}
        else:
            links[-1]["weights"] = _weights_hash(features.name)
    return links, kept


def _fitted(link: dict[str, Any], state: dict[str, np.ndarray], spec: Spec) -> Fitted:
    features = features_made(link["name"])
    if features.is_learned:
        return Fitted(features, state)
    if _weights_hash(features.name) != link["weights"]:
        raise UsageError(
            f"it was trained on {features.name} with other weights than those installed here"
        )
    return Fitted(features, features.fit(_two(spec)))


def _weights_hash(name: str) -> str:
    with open(weights_file(name.partition("(")[0]), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _like(learner: Learner, spec: Spec) -> Any:
    """Returns the shapes of a State."""
    context = learner.prepare(_two(spec))
    return jax.eval_shape(lambda key: learner.init(key, context), jax.random.key(0))


def _two(spec: Spec) -> Pool:
    """Returns a pool of two examples, of zeros and of ones."""
    return arrays(np.stack([np.full(spec.shape, value, spec.dtype) for value in (0, 1)]))


def _named(tree: Any) -> dict[str, Any]:
    """Returns the leaves of a State by their names."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _shapes(named: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: (tuple(leaf.shape), np.dtype(leaf.dtype)) for name, leaf in named.items()}


def _under(place: str, kept: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    prefix = f"{place}/"
    return {
        name.removeprefix(prefix): array for name, array in kept.items() if name.startswith(prefix)
    }


def _said(spec: Spec) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": str(spec.dtype)}


def _spec(said: dict[str, Any]) -> Spec:
    shape, dtype = tuple(said["shape"]), np.dtype(said["dtype"])
    is_whole = all(type(size) is int and size > 0 for size in shape) and len(shape) > 0
    if not is_whole or dtype not in (np.uint8, np.float32):
        raise ValueError("its examples are of no shape")
    if math.prod(shape) * dtype.itemsize > _MOST:
        raise ValueError("its examples are too large")
    return Spec(shape, dtype)
