"""Labels that are known before anybody labels, by the rows of a project."""

from collections.abc import Mapping
from typing import NamedTuple

from jax_al.people.ledger_pool import LedgerPool
from jax_al.pools.folder import FolderPool
from jax_al.pools.sheet import plain


class Known(NamedTuple):
    """Labels of rows, and what came of the others."""

    labels: dict[str, str]  # id of a row -> name of a class
    torn: tuple[str, ...]  # ids of rows whose files have two labels: none of them is taken
    unknown: tuple[str, ...]  # names that no picture has


def known_labels(pool: LedgerPool, labels: Mapping[str, str]) -> Known:
    """Returns labels of files, or of rows of a table, as labels of the rows of a project.

    A row has the label of the file that holds it now, and of its copies; of a file that has moved,
    also that of its id, unless another file has that name now. A row that is missing has none.

    Args:
      pool: of the project.
      labels: by name, such as `labels_from_folders` or `labels_from_csv` return.
    """
    names_now = pool.source.files if isinstance(pool.source, FolderPool) else set(pool.source.ids)
    every = {*names_now, *pool.ids} - labels.keys()
    labels = {plain(name, every): label for name, label in labels.items()}
    found: dict[str, str] = {}
    torn, used = [], set()
    for row, (id, path) in enumerate(zip(pool.ids, pool.paths, strict=True)):
        if path is None:
            continue
        names = {path, *pool.copies.get(row, ())} | ({id} if id not in names_now else set())
        used |= names
        said = {labels[name] for name in names if name in labels}
        if len(said) > 1:
            torn.append(id)
        elif said:
            found[id] = said.pop()
    return Known(found, tuple(torn), tuple(name for name in labels if name not in used))
