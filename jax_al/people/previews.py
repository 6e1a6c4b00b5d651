"""Pictures for a page: upright, small, made once and kept on disk."""

import contextlib
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from jax_al.durable import write_atomically
from jax_al.errors import UsageError
from jax_al.pools.pictures import UnreadableError, decode, rgb

WIDTHS = (
    320,
    1280,
    2560,
)  # of the longer side in pixels: one of many, one alone, looked at closely
MEDIA_TYPE = "image/jpeg"
QUALITY = 85
MOST_BYTES = 1 << 31  # kept on disk; 100,000 small ones are some 2 GB
_KEEPS = 0.75  # share of them that is left where there were more, those used last


def preview(picture: bytes | np.ndarray, width: int) -> bytes:
    """Returns a picture as a JPEG whose sides are at most `width`, upright; none is made larger.

    Args:
      picture: the bytes of a file, which are read by the decoder that the features are read by; or
        pixels, uint8 [H, W, channels] with 1, 3 or 4 of them.
      width: pixels, one of WIDTHS.

    Raises:
      UsageError: the width is another one, or it is no picture.
    """
    from PIL import Image

    _check(width)
    if isinstance(picture, bytes):
        try:
            picture = decode(picture, enough=width)
        except UnreadableError as error:
            raise UsageError(f"The picture cannot be shown: it {error}.") from error
    pixels = picture[..., 0] if picture.shape[-1] == 1 else picture
    image = rgb(Image.fromarray(pixels), None)
    scale = width / max(image.size)
    if scale < 1:
        small = tuple(max(1, round(side * scale)) for side in image.size)
        image = image.resize((small[0], small[1]), Image.Resampling.BICUBIC)
    return _jpeg(image)


class Previews:
    """Previews on disk, by the hash of the picture and the width; many threads may ask.

    The directory stays below a number of bytes: those used longest ago go first. Where nothing can
    be written they are made each time, which a warning says once.

    Args:
      directory: of the cache, made when something is kept; never within a pool.
      most_bytes: kept there.
    """

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self._directory, self._most = directory, most_bytes
        self._guard = threading.Lock()
        self._bytes: int | None = None  # kept; None: not counted yet
        self._is_told = False
        # A picture of many pixels takes hundreds of megabytes while it is made.
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)

    def picture(
        self, sha256: str, read: Callable[[], bytes | np.ndarray], width: int
    ) -> tuple[bytes, str]:
        """Returns the preview of a picture, and its media type.

        Args:
          sha256: of what `read` returns, in hexadecimal: what is kept under it is not read again.
          read: returns what `preview` takes.
          width: one of WIDTHS.

        Raises:
          UsageError: as `preview` does, and as `read` does.
        """
        _check(width)
        path = self._directory / sha256[:2] / f"{sha256}-{width}.jpg"
        if (kept := _kept(path)) is not None:
            return kept, MEDIA_TYPE
        with self._turns:
            # Somebody else may have made it meanwhile.
            if (kept := _kept(path)) is None:
                kept = preview(read(), width)
                self._keep(path, kept)
        return kept, MEDIA_TYPE

    def _keep(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            if not self._is_told:
                logging.warning(
                    "Previews cannot be kept in %s (%s), and are made each time.",
                    self._directory, error.strerror,
                )  # fmt: skip
            self._is_told = True
            return
        with self._guard:
            counted = self._bytes
            self._bytes = (
                sum(size for _, size, _ in self._all())
                if counted is None
                else counted + len(content)
            )
            if self._bytes > self._most:
                self._bytes = self._shrunk()

    def _all(self) -> list[tuple[float, int, Path]]:
        """Returns when each was used last, its bytes and its path."""
        found = []
        for path in self._directory.glob("??/*.jpg"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process makes room, too
                continue
            found.append((status.st_mtime, status.st_size, path))
        return found

    def _shrunk(self) -> int:
        """Deletes those used longest ago; returns the bytes that are left."""
        found = sorted(self._all())
        total = sum(size for _, size, _ in found)
        for _, size, path in found:
            if total <= _KEEPS * self._most:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total


def _kept(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):  # of a cache that may only be read
        os.utime(path)
    return content


def _check(width: int) -> None:
    if width not in WIDTHS:
        raise UsageError(f"width is {width!r}, but must be one of {', '.join(map(str, WIDTHS))}.")


def _jpeg(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
