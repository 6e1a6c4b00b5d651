"""The page served by a process, as `jax-al label` serves it: its address, its port, its end."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from jax_al.errors import UsageError
from jax_al.page.kept import Kept, keep, kept
from jax_al.page.serve import serve
from tests import page_process
from tests.made_up_desk import MadeUpDesk
from tests.made_up_pictures import encoded, pixels

PROGRAM = """
import sys
from pathlib import Path
from jax_al.interrupt import listen
from jax_al.page.serve import serve
from tests.made_up_desk import MadeUpDesk
listen()
desk = MadeUpDesk(9, ["cat", "dog"])
serve(desk, Path(sys.argv[1]), "127.0.0.1", 0, False, lambda text: print(text, flush=True))
print("ended", len(desk.told), flush=True)
"""


def begin(directory):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def desk():
    return MadeUpDesk(1, ["a", "b"])


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_it_says_its_address_when_it_can_be_opened_and_ends_cleanly(tmp_path, kind):
    with begin(tmp_path) as process:
        said = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S{40,}", said)[0]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=10) as page:  # the redirect is followed
            assert page.url == address.partition("?")[0]
            assert b"<!doctype html>" in page.read()
        process.send_signal(kind)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "ended 0\n", "")


def test_the_next_start_has_the_same_address_unless_it_is_taken(tmp_path):
    with begin(tmp_path) as process:
        first = process.stdout.readline()
        process.kill()
    assert (tmp_path / "page.json").stat().st_mode & 0o077 == 0  # the token is in it
    (tmp_path / "other").mkdir()
    with begin(tmp_path) as one, begin(tmp_path / "other") as another:
        assert one.stdout.readline() == first
        assert another.stdout.readline() != first
        for process in (one, another):
            process.kill()
    port = int(re.search(r":(\d+)/", first)[1])
    with socket.create_server(("127.0.0.1", port)), begin(tmp_path) as two:
        second = two.stdout.readline()
        two.kill()
    assert second != first
    assert second.partition("token=")[2] == first.partition("token=")[2]


def test_secrets_are_by_chance_and_kept(tmp_path):
    first, other = kept(tmp_path), kept(tmp_path)
    assert len(first.token) >= 40
    assert first.port == 0
    assert not {first.token, first.name} & {other.token, other.name}
    keep(tmp_path, first._replace(port=7))
    assert kept(tmp_path) == first._replace(port=7)
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"port": 1}', '{"port": "x"}', "\udcff",
     '{"port": 7, "token": "", "name": "page"}'],
)  # fmt: skip
def test_what_cannot_be_read_is_not_kept(tmp_path, content):
    (tmp_path / "page.json").write_text(content, errors="surrogateescape")
    assert kept(tmp_path).port == 0


def test_nothing_is_said_of_a_photo_that_is_odd_and_shown_all_the_same(tmp_path, capfd):
    odd = encoded(pixels(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    work = page_process.begun(tmp_path, 12, lambda k: odd if k == 0 else encoded(pixels(k), "JPEG"))
    capfd.readouterr()
    with page_process.serving(work) as (_, served):
        assert all(served.get(f"/picture/{row}?width=320").status == 200 for row in range(12))
    assert capfd.readouterr().err == ""


def test_one_page_of_a_project_is_served_at_a_time(desk, tmp_path):
    faults = []

    def say(text):
        try:
            serve(desk, tmp_path, "127.0.0.1", 0, False)
        except UsageError as error:
            faults.append(str(error))
        signal.raise_signal(signal.SIGINT)

    for _ in range(2):  # and one after the other
        serve(desk, tmp_path, "127.0.0.1", 0, False, say)
    assert ["is served already" in fault for fault in faults] == [True, True]


def test_a_port_that_is_taken_is_one_sentence(desk, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 is taken: choose another"):
            serve(desk, tmp_path, "127.0.0.1", port, False)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_one_sentence(desk, tmp_path, port):
    with pytest.raises(UsageError, match=f"--port is {port}, but must be from 0 to 65535"):
        serve(desk, tmp_path, "127.0.0.1", port, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_come_only_where_that_was_said(desk, tmp_path, host):
    with pytest.raises(UsageError, match="--allow-remote"):
        serve(desk, tmp_path, host, 0, False)


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
def test_a_host_that_is_not_here_is_one_sentence(desk, tmp_path, host):
    with pytest.raises(UsageError, match=host):
        serve(desk, tmp_path, host, 0, True)


@pytest.mark.parametrize(
    ("host", "sentence"),
    [("0.0.0.0", "Other machines reach this page"), ("127.0.0.1", "Only this machine reaches")],
)
def test_whether_others_reach_it_is_said(desk, tmp_path, host, sentence):
    token = "of-this-test-and-long-enough-for-it"
    keep(tmp_path, Kept(0, token, "page"))
    said = []

    def say(text):
        said.append(text)
        if len(said) == 2:
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C, once all is said

    serve(desk, tmp_path, host, 0, True, say)
    assert token in said[0]
    assert sentence in said[1]
