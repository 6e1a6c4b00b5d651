"""The file of a trained model: facts as JSON and arrays as .npy, in one zip archive; no pickle.

Nothing in it is compressed, so that no small file becomes a large one when it is read. The archive
holds a checksum of each member. Equal models are equal files.
"""

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jax_al.durable import replacing
from jax_al.errors import UsageError

FORMAT = 1  # a reader knows all up to its own
KIND = "jax_al model"
FACTS = "model.json"
_MOST_FACTS = 1 << 24  # bytes
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that an archive can tell


def write_model(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a model, whole or not at all; another model of that name is replaced.

    Args:
      path: of the file.
      facts: what JSON can hold.
      arrays: numbers of any shape, by name.

    Raises:
      UsageError: there is something else of that name; or an array does not hold plain numbers.
      OSError: it cannot be written.
    """
    if path.exists() and not (path.is_file() and _is_model(path)):
        raise UsageError(f"{path} is there already and no model of jax_al: name another file.")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a directory to write {path.name} to.")
    text = json.dumps({"kind": KIND, "format": FORMAT, **facts}, indent=2, allow_nan=False)
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(FACTS, _TIME), text + "\n")
        for name, array in arrays.items():
            if array.dtype.kind not in "biuf":
                raise UsageError(
                    f"The model holds {name} as {array.dtype}, and a file holds plain numbers only."
                )
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _TIME), content.getvalue())


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns the facts and arrays of a model, arrays read-only.

    Raises:
      UsageError: there is no such file; it is something else, damaged, or of a newer format.
    """
    if not path.is_file():
        where = "is a directory" if path.is_dir() else "is not there"
        raise UsageError(f"{path} {where}, and must be a file that al.Session.export has written.")
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = _members(archive, os.fstat(file.fileno()).st_size)
            facts = json.loads(archive.read(members.pop(FACTS)))
            if not isinstance(facts, dict) or facts["kind"] != KIND:
                raise ValueError("it holds something else")
            if facts["format"] > FORMAT:
                raise _NewerError(facts["format"])
            arrays = {
                name.removesuffix(".npy"): _array(archive.read(info))
                for name, info in members.items()
            }
    except _NewerError as error:
        raise UsageError(
            f"{path} is a model of format {error}, and this jax_al reads up to {FORMAT}: update it."
        ) from error
    except Exception as error:  # zipfile, JSON and NumPy have many for what is no such file
        said = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"{path} cannot be read as a model of jax_al ({said}): it is damaged, or another file."
        ) from error
    return facts, arrays


class _NewerError(Exception):
    """A format that came later."""


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Returns what is in an archive of `size` bytes, having seen that it is no larger."""
    infos = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise ValueError("it is compressed")
    if sum(info.file_size for info in infos) > size:
        raise ValueError("it says to hold more than it does")
    members = {info.filename: info for info in infos}
    if FACTS not in members or len(members) < len(infos):
        raise ValueError(f"it holds no {FACTS}, or something twice")
    if members[FACTS].file_size > _MOST_FACTS:
        raise ValueError(f"its {FACTS} is too long")
    return members


def _array(content: bytes) -> np.ndarray:
    """Returns the array of a .npy file. NumPy would make room for what a header says first."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is of another version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if is_fortran or dtype.kind not in "biuf":
        raise ValueError(f"an array is {dtype}")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)


def _is_model(path: Path) -> bool:
    try:
        read_model(path)
    except UsageError:
        return False
    return True
