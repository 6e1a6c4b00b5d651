"""The page served by a process, as `jax-al label` serves it: its address, its port, its end."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from jax_al.errors import UsageError
from jax_al.page.serve import serve
from tests.made_up_desk import MadeUpDesk
from tests.page_server import TOKEN

PROGRAM = """
import sys
from jax_al.page.serve import serve
from tests.made_up_desk import MadeUpDesk
desk = MadeUpDesk(9, ["cat", "dog"])
serve(desk, "127.0.0.1", int(sys.argv[1]), False, say=lambda text: print(text, flush=True))
print("ended", len(desk.told), flush=True)
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_it_says_its_address_when_it_can_be_opened_and_ends_cleanly(kind):
    listen = "from jax_al.interrupt import listen; listen()\n"
    command = [sys.executable, "-c", listen + PROGRAM, "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        said = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S{40,}", said)[0]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=10) as page:  # the redirect is followed
            assert page.url == address.partition("?")[0]
            assert b"<!doctype html>" in page.read()
        process.send_signal(kind)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "ended 0\n", "")


def test_a_port_that_is_taken_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 is taken: choose another"):
            serve(MadeUpDesk(1, ["a", "b"]), "127.0.0.1", port, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_come_only_where_that_was_said(host):
    with pytest.raises(UsageError, match="--allow-remote"):
        serve(MadeUpDesk(1, ["a", "b"]), host, 0, False)


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
def test_a_host_that_is_not_here_is_one_sentence(host):
    with pytest.raises(UsageError, match=host):
        serve(MadeUpDesk(1, ["a", "b"]), host, 0, True)


@pytest.mark.parametrize("token", ["", "short"])
def test_there_is_no_page_without_a_token(token):
    with pytest.raises(UsageError, match="token"):
        serve(MadeUpDesk(1, ["a", "b"]), "0.0.0.0", 0, True, token)


def test_that_others_reach_it_is_said():
    said = []

    def say(text):
        said.append(text)
        if len(said) == 2:
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C, once all is said

    serve(MadeUpDesk(1, ["a", "b"]), "0.0.0.0", 0, True, TOKEN, say)
    assert TOKEN in said[0]
    assert "Other machines reach this page" in said[1]
