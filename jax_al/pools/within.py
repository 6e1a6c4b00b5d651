"""The bytes of a file within a folder, whatever becomes of its links meanwhile."""

import errno
import os
import stat
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


def content_within(root: Path, name: str, most: int) -> bytes:
    """Returns the first `most` bytes of the file `name` under `root`.

    Between the moment a folder is walked and this one a link may have been put in the place of a
    file. So links are resolved anew, what they lead to must lie within the root, and it is opened a
    directory at a time, none of which may be a link: what is put there later is an error.

    Args:
      root: a directory, resolved.
      name: a path from there on.
      most: bytes.

    Raises:
      OSError: there is no such file, it is no regular one, or it lies elsewhere.
    """
    target = Path(os.path.realpath(root / name))
    if root not in target.parents:
        raise OSError(errno.EXDEV, "It lies outside of the folder")
    *directories, last = target.relative_to(root).parts
    place = os.open(root, _DIRECTORY)

    def opened(part: str, flags: int) -> int:
        # A pipe would wait for somebody who writes.
        return os.open(part, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)

    try:
        for part in directories:
            outer = place
            place = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=outer)
            os.close(outer)
        with open(last, "rb", opener=opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "It is no regular file")
            return file.read(most)
    finally:
        os.close(place)
