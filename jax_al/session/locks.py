"""Who may write: locks of the system, which a dead process cannot hold."""

import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import Iterator

from jax_al.durable import make_directory
from jax_al.errors import UsageError

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@contextlib.contextmanager
def computing(directory: pathlib.Path, *, shared: bool = False) -> Iterator[None]:
    """Holds `directory` (made if missing) for this process: one driver computes in it.

    Args:
      directory: of a run or a part.
      shared: whether others that share may hold it too; those that do not are kept out.

    Raises:
      UsageError: another process holds it, it cannot be made, there are no locks, or its path is
        not UTF-8, which checkpoints cannot be written to.
    """
    try:
        os.fspath(directory.absolute()).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"The path of the workdir {str(directory)!a} is not UTF-8, and checkpoints need "
            "that: name another directory."
        ) from None
    with contextlib.ExitStack() as stack:
        try:
            make_directory(directory)
            (directory / ".lock").touch()
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            stack.enter_context(held(directory / ".lock", how | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UsageError(
                f"Another process is running in {directory}; wait for it, or name another "
                "directory."
            ) from error
        except OSError as error:
            reason = "it is a file" if os.path.isfile(directory) else error.strerror
            raise UsageError(f"The workdir {directory} cannot be used: {reason}.") from error
        yield


@contextlib.contextmanager
def held(path: pathlib.Path, how: int) -> Iterator[None]:
    """Holds the lock file at `path`, which is made for a lock that keeps others out.

    Args:
      path: of a file that holds nothing.
      how: a flag of `fcntl.flock`.

    Raises:
      BlockingIOError: somebody else holds it, and `how` says not to wait.
      FileNotFoundError: a shared lock of a file that is not there: nobody has written yet.
      OSError: the file cannot be opened.
      UsageError: the file system has no locks.
    """
    # A shared lock is for reading alone, maybe where nothing may be written.
    flags = os.O_RDONLY if how & fcntl.LOCK_SH else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, how)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise UsageError(
                f"The file system of {path.parent} has no locks ({error.strerror}), and without "
                "them two processes could spoil each other's records; name a directory on another."
            ) from error
        yield
    finally:
        os.close(descriptor)
