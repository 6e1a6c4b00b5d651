"""What a page keeps from one start to the next, so that a tab that is still open goes on."""

import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

FILE = "page.json"
LEAST = 32  # letters of a secret


class Kept(NamedTuple):
    """What was so at the last start."""

    port: int  # 0: there was none
    token: str  # of the start address
    name: str  # of the page: what waits in a browser is sent to the page of this name alone


def kept(directory: Path) -> Kept:
    """Returns what is kept in `directory`, or new secrets where nothing is that can be read."""
    try:
        content = json.loads((directory / FILE).read_text(encoding="utf-8"))
        found = Kept(int(content["port"]), str(content["token"]), str(content["name"]))
        if len(found.token) >= LEAST:
            return found
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return Kept(0, secrets.token_urlsafe(LEAST), secrets.token_hex(8))


def keep(directory: Path, what: Kept) -> None:
    """Keeps it; nobody else on this machine may read the file, at no moment."""
    temporary = directory / f".{FILE}.{secrets.token_hex(4)}.tmp"
    with open(temporary, "w", encoding="utf-8", opener=_private) as file:
        json.dump(what._asdict(), file)
    os.replace(temporary, directory / FILE)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)
