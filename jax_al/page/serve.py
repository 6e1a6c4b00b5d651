"""Serves the page until Ctrl-C, on this machine unless it is said that others may come."""

import contextlib
import errno
import fcntl
import ipaddress
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from jax_al.errors import UsageError
from jax_al.page.app import make_app
from jax_al.page.guard import Guard, Rules
from jax_al.page.kept import keep, kept
from jax_al.people.desk import Desk
from jax_al.session.locks import held

LAST_ANSWERS = 5  # seconds that what is asked already may take after Ctrl-C


def serve(
    desk: Desk,
    directory: Path,
    host: str,
    port: int,
    allow_remote: bool,
    say: Callable[[str], None] = print,
) -> None:
    """Serves the page; says its address once it can be opened, returns after Ctrl-C.

    Args:
      desk: whom the page asks; stays open.
      directory: of the project, where the port and the secrets of the page are kept: after the
        next start a tab that is still open goes on, and sends what waits there.
      host: the address to listen at, 127.0.0.1 for this machine alone.
      port: likewise; 0: that of last time, or one that is free.
      allow_remote: whether `host` may be one that other machines reach.
      say: is told the address, and whether others reach it, where they may.

    Raises:
      UsageError: another process serves the page, the port is taken or not allowed, `host` is not
        of this machine, or others would reach it and `allow_remote` was not given.
    """
    last = kept(directory)
    with (
        warnings.catch_warnings(),
        _alone(directory),
        _door(host, port, last.port, allow_remote) as door,
    ):
        # A picture that is large, or has odd EXIF, is shown all the same.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        now = last._replace(port=door.getsockname()[1])
        keep(directory, now)
        app = make_app(desk, now.name, rules(host, now.port, allow_remote, now.token))

        def tell() -> None:
            say(f"Label at {address(host, now.port, now.token)} (Ctrl-C ends)")
            if not _is_loopback(door):
                say(
                    "Other machines reach this page, and what they send is not encrypted: whoever "
                    "has the address can label. Stay within a network you trust."
                )
            elif allow_remote:
                say(f"Only this machine reaches {host}; others reach --host=0.0.0.0.")

        # After a Ctrl-C it ends what it does, and then says it was one.
        with contextlib.suppress(KeyboardInterrupt):
            server(app, tell).run([door])


def server(app: Guard, tell: Callable[[], None]) -> uvicorn.Server:
    """Returns the server of `app`, which calls `tell` when it listens; any thread may run it."""

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            tell()

    config = uvicorn.Config(
        app,
        http="h11", loop="asyncio", ws="none", lifespan="off",  # the same wherever it is installed
        log_level="warning", access_log=False,  # a log of addresses would hold the token
        server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )  # fmt: skip
    return Server(config)


def listening(host: str, port: int, allow_remote: bool) -> socket.socket:
    """Returns a socket that listens.

    Raises:
      UsageError: as `serve` does.
    """
    if not 0 <= port < 2**16:
        raise UsageError(f"--port is {port}, but must be from 0 to {2**16 - 1}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except OSError as error:  # a name that is none, an empty one
        raise UsageError(f"There is no host {host!r} to listen at ({error.strerror}).") from error
    numeric = str(found[0][4][0])
    if not allow_remote and not ipaddress.ip_address(numeric).is_loopback:
        raise UsageError(
            f"{host} can be reached from other machines: give --allow-remote if they may come, or "
            "listen at 127.0.0.1."
        )
    try:
        return socket.create_server((numeric, port), family=family)
    except OSError as error:
        why = {
            errno.EADDRINUSE: f"Port {port} of {host} is taken: choose another with --port, or end "
            "what listens there.",
            errno.EACCES: f"Port {port} is for the system: choose one from 1024 on with --port.",
            errno.EADDRNOTAVAIL: f"{host} is not an address of this machine.",
        }
        sentence = why.get(error.errno or 0, f"{host}:{port} cannot be listened at ({error}).")
        raise UsageError(sentence) from error


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keeps other pages of the project out: each would hand out what the others have."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(directory / ".page.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UsageError(
                f"The page of {directory} is served already: open the address that was printed "
                "there, or end it first."
            ) from error
        yield


def _door(host: str, port: int, last: int, allow_remote: bool) -> socket.socket:
    """Returns a socket that listens, at the `last` port if no other is wanted and it is free."""
    if port == 0:
        with contextlib.suppress(UsageError):
            return listening(host, last, allow_remote)
    return listening(host, port, allow_remote)


def rules(host: str, port: int, allow_remote: bool, token: str) -> Rules:
    """Returns what is asked of requests at this address."""
    names = {"localhost", host.lower()}
    if allow_remote:
        here = socket.gethostname().lower()
        names |= {here, f"{here}.local", socket.getfqdn().lower()}
    return Rules(token, f"jax_al_{port}", frozenset(names), any_address=allow_remote)


def address(host: str, port: int, token: str) -> str:
    """Returns the start address; where all addresses of the machine are served, by its name."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/?token={token}"


def _is_loopback(door: socket.socket) -> bool:
    return ipaddress.ip_address(door.getsockname()[0]).is_loopback
