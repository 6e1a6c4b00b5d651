"""The files of a published model: in a directory here, or fetched from the Hugging Face hub."""

import contextlib
import functools
import hashlib
import json
import pathlib
from typing import Any, NamedTuple

from jax_al.errors import UsageError

_WANTED = ("config.json", "model.safetensors")
_PREPROCESSOR = "preprocessor_config.json"  # says how pixels are scaled; many models have one


class ModelFiles(NamedTuple):
    """Where the files of a model are, and what the small ones say."""

    name: str  # as it was asked for
    directory: pathlib.Path  # that holds config.json and model.safetensors
    config: dict[str, Any]
    preprocessor: dict[str, Any]  # empty where there is none

    def digest(self) -> str:
        """Returns a hash of all that the files hold; reads the weights."""
        found = hashlib.sha256(json.dumps([self.config, self.preprocessor]).encode())
        with open(self.directory / _WANTED[1], "rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
        return found.hexdigest()[:16]


def model_files(name: str) -> ModelFiles:
    """Returns the files of the model `name`.

    Args:
      name: a directory, or "OWNER/MODEL" of the hub, which is fetched where there is a network and
        kept where huggingface_hub keeps all.

    Raises:
      UsageError: they are not there and cannot be fetched, or do not hold what they should.
    """
    path = pathlib.Path(name).expanduser()
    if not path.is_dir():
        if path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
            raise UsageError(f"jimm:{name} names a directory that is not there.")
        path = _fetched(name)
    for file in _WANTED:
        if not (path / file).is_file():
            raise UsageError(f"{path} holds no {file}: {_advice('that model')}")
    optional = path / _PREPROCESSOR
    preprocessor = _read(optional) if optional.is_file() else {}
    return ModelFiles(name, path, _read(path / _WANTED[0]), preprocessor)


@functools.lru_cache(maxsize=8)  # the hub is asked once a process
def _fetched(name: str) -> pathlib.Path:
    try:
        found = [_file(name, file) for file in _WANTED]
        _fetch_preprocessor(name)
    except Exception as error:  # no network, no such model, no right to it: the remedy is the same
        raise UsageError(
            f"jimm:{name} is no directory here and cannot be had from the Hugging Face hub "
            f"({_reason(error)}): {_advice(name)}"
        ) from error
    return found[0].parent


def _fetch_preprocessor(name: str) -> None:
    """Fetches a file that many models have; that there is none must be known, not guessed."""
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        _file(name, _PREPROCESSOR)
    except Exception as error:
        is_told = isinstance(error, EntryNotFoundError)
        if is_told and not isinstance(error, LocalEntryNotFoundError):
            return
        if try_to_load_from_cache(name, _PREPROCESSOR) is not _CACHED_NO_EXIST:
            raise  # no network


def _file(name: str, file: str) -> pathlib.Path:
    """Returns where a file of the hub is kept, fetched if it is not."""
    from huggingface_hub import (
        get_hf_file_metadata,
        hf_hub_download,
        hf_hub_url,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import HfHubHTTPError

    if not isinstance(try_to_load_from_cache(name, file), str):
        # Whether anybody answers is asked without pauses: the download would try for half a minute.
        # What the hub answers is for the download to tell, or to wait for.
        with contextlib.suppress(HfHubHTTPError):
            get_hf_file_metadata(hf_hub_url(name, file))
    return pathlib.Path(hf_hub_download(name, file))


def _advice(model: str) -> str:
    return (
        f"put config.json and model.safetensors of {model}, and its {_PREPROCESSOR} if it has one, "
        "into a directory, and name that, jimm:DIRECTORY."
    )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}".rstrip(". ")


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} must hold names and values, not a {type(found).__name__}.")
    return found
