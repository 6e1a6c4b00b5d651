"""A folder of pictures as people have it: what is read, passed over, noticed."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from made_up_pictures import encoded, pixels, png

import jax_al as al
from jax_al.errors import UsageError
from jax_al.pools import folder as folders
from jax_al.pools import scan
from jax_al.pools.pictures import decode
from jax_al.pools.walk import Found
from jax_al.pools.within import content_within
from jax_al.testing import check_pool
from tests.not_root import not_as_root

STRANGE = (
    "a b.png", "a,b.png", 'say "x".png', "two\nlines.png", "it's.png", "-rf.png", "=1+1.png",
    unicodedata.normalize("NFC", "Zoë.png"), unicodedata.normalize("NFD", "Zoë2.png"), "写真.png",
    "CAPS.PNG", "jpeg.png", "no_ending",
)  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """A function that writes files into a folder and opens it; its cache is beside it."""
    root = tmp_path / "photos"
    root.mkdir()

    def opened(files=None, **options):
        for name, content in (files or {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return al.folder(root, **{"size": 8, "cache_dir": str(tmp_path / "cache")} | options)

    opened.root, opened.cache = root, tmp_path / "cache"
    return opened


def some(count=5):
    return {f"{n}.png": encoded(pixels(n), "PNG") for n in range(count)}


def state_of(root):
    return {
        path.relative_to(root): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in sorted(root.rglob("*"))
    }


def test_it_is_a_pool_and_nothing_is_written_into_the_folder(photos):
    photos({f"sub/{n}/{n}.png": content for n, content in enumerate(some().values())})
    before = state_of(photos.root)
    pool = photos()
    check_pool(pool)
    pool.show(0)
    assert state_of(photos.root) == before
    assert list(pool.ids) == [f"sub/{n}/{n}.png" for n in range(5)]
    assert pool.spec.shape == (8, 8, 3)


def test_a_name_may_be_anything_and_its_ending_says_nothing(photos):
    forms = {"jpeg.png": "JPEG", "no_ending": "GIF"}
    files = {
        name: encoded(pixels(seed), forms.get(name, "PNG")) for seed, name in enumerate(STRANGE)
    }
    pool = photos(files)
    assert set(pool.ids) == set(files)  # exactly as on disk, whatever form of Unicode
    for row, name in enumerate(pool.ids):
        np.testing.assert_array_equal(pool.show(row), decode(files[name]))


def test_a_row_is_the_middle_of_its_picture_or_the_whole_on_white(photos):
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 2:6] = 100
    assert (photos({"x.png": encoded(image, "PNG")}, size=4).read(slice(1)) == 100).all()
    whole = photos(size=8, fit="pad").read(slice(1))[0]
    assert (whole[:2] == 255).all()
    np.testing.assert_array_equal(whole[2:6], image)


def test_what_is_no_picture_is_listed_and_what_is_hidden_is_not(photos):
    bad = {
        "notes.txt": b"hello",
        "empty.jpg": b"",
        "cut.png": encoded(pixels(), "PNG")[:150],
        "bomb.png": png(60_000, 60_000),
    }
    unseen = {".hidden.png": b"", ".git/x.png": b"", "Thumbs.db": b"", "__MACOSX/x.png": b""}
    pool = photos(some(2) | bad | unseen)
    os.mkfifo(photos.root / "pipe")
    pool = photos()
    assert list(pool.ids) == ["0.png", "1.png"]
    assert {one.id for one in pool.passed_over} == {*bad, "pipe"}
    why = {one.id: one.why for one in pool.passed_over}
    assert why["empty.jpg"] == "is empty"
    assert why["pipe"] == "is no regular file"


def test_links_are_followed_within_the_folder_and_never_in_a_circle(photos, tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded(pixels(9), "PNG"))
    photos({"all/0.png": encoded(pixels(0), "PNG"), "all/1.png": encoded(pixels(1), "PNG")})
    (photos.root / "best.png").symlink_to("all/1.png")
    (photos.root / "again").symlink_to("all")
    (photos.root / "all/round").symlink_to("..")
    (photos.root / "out.png").symlink_to(tmp_path / "secret.png")
    (photos.root / "nowhere.png").symlink_to("gone.png")
    pool = photos()
    found = {*pool.ids, *(name for names in pool.copies.values() for name in names)}
    assert {"all/0.png", "all/1.png", "best.png", "again/0.png", "again/1.png"} <= found
    assert len(pool) == 2
    why = {one.id: one.why for one in pool.passed_over}
    assert "leads out" in why["out.png"]
    assert "leads nowhere" in why["nowhere.png"]
    round_and_round = [reason for name, reason in why.items() if "round" in name]
    assert round_and_round
    assert all("there already" in reason for reason in round_and_round)


def test_what_is_put_in_the_place_of_a_file_after_the_walk_is_not_read(
    photos, tmp_path, monkeypatch
):
    secret = tmp_path / "secret"
    secret.mkdir()
    for name in ("b.png", "c.png"):
        (secret / name).write_bytes(encoded(pixels(9), "PNG"))
    names = ("a.png", "b.png", "sub/c.png", "d.png")
    files = {name: encoded(pixels(n), "PNG") for n, name in enumerate(names)}
    walk_of = folders.walk

    def walk_and_swap(root):
        yield from list(walk_of(root))
        (root / "b.png").unlink()
        (root / "b.png").symlink_to(secret / "b.png")
        shutil.rmtree(root / "sub")
        (root / "sub").symlink_to(secret)
        (root / "d.png").unlink()
        os.mkfifo(root / "d.png")

    monkeypatch.setattr(folders, "walk", walk_and_swap)
    pool = photos(files)
    assert list(pool.ids) == ["a.png"]
    assert {one.id: one.why for one in pool.passed_over} == {
        "b.png": "cannot be read (It lies outside of the folder)",
        "sub/c.png": "cannot be read (It lies outside of the folder)",
        "d.png": "cannot be read (It is no regular file)",
    }


def test_a_link_that_is_put_there_while_a_file_is_opened_is_not_followed(tmp_path, monkeypatch):
    """The race itself: the path was resolved, and then becomes a link."""
    root, secret = tmp_path / "root", tmp_path / "secret"
    for place in (root, secret):
        place.mkdir()
        (place / "x").write_bytes(place.name.encode())
    assert content_within(root, "x", 9) == b"root"
    assert content_within(root, "x", 2) == b"ro"
    (root / "again").symlink_to(".")
    assert content_within(root, "again/x", 9) == b"root"
    monkeypatch.setattr(os.path, "realpath", os.path.normpath)  # as if no link were there yet
    (root / "y").symlink_to(secret / "x")
    (root / "sub").symlink_to(secret)
    for name in ("y", "sub/x"):
        with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
            content_within(root, name, 9)


def test_folders_within_each_other_a_thousand_times_are_walked(photos):
    here = os.open(photos.root, os.O_RDONLY)
    for _ in range(1_100):
        os.mkdir("a", dir_fd=here)
        here, outer = os.open("a", os.O_RDONLY, dir_fd=here), here
        os.close(outer)
    os.close(here)
    try:
        pool = photos({"a/" * 1_100 + "0.png": encoded(pixels(), "PNG")})
        assert list(pool.ids) == ["a/" * 1_100 + "0.png"]
    finally:  # pytest's own way to do that calls itself a thousand times
        subprocess.run(["rm", "-rf", photos.root / "a"], check=True)


def test_the_same_bytes_and_the_same_pixels_are_one_row(photos):
    image = pixels(3)
    same = {"a.png": encoded(image, "PNG"), "b/copy.png": encoded(image, "PNG")}
    same["c.bmp"] = encoded(image, "BMP")
    other = encoded(np.roll(image, 1, axis=0), "PNG")
    pool = photos(same | {"d.png": other})
    assert list(pool.ids) == ["a.png", "d.png"]
    assert pool.copies == {0: ("b/copy.png", "c.bmp")}


def test_two_shapes_of_one_colour_are_two_pictures(photos):
    white = {f"{n}.png": encoded(np.full((n, 6, 3), 255, np.uint8), "PNG") for n in (6, 7)}
    assert len(photos(white)) == 2


def test_the_second_start_reads_what_has_changed_and_nothing_else(photos, monkeypatch):
    first = photos(some())
    read = []
    content_of = scan.content_of
    monkeypatch.setattr(
        scan, "content_of", lambda root, name: read.append(name) or content_of(root, name)
    )
    again = photos()
    assert read == []
    np.testing.assert_array_equal(again.read(slice(None)), first.read(slice(None)))
    changed = photos({"2.png": encoded(pixels(20), "PNG"), "new.png": encoded(pixels(30), "PNG")})
    assert sorted(read) == ["2.png", "new.png"]
    assert list(changed.ids) == [*first.ids, "new.png"]
    assert changed.sha256[2] != first.sha256[2]
    assert changed.sha256[:2] == first.sha256[:2]
    rows = changed.read(slice(None))
    np.testing.assert_array_equal(rows[[0, 1, 3, 4]], first.read(np.array([0, 1, 3, 4])))
    assert (rows[2] != first.read(slice(2, 3))[0]).any()


def test_a_picture_that_was_there_once_is_not_decoded_again(photos, monkeypatch):
    first = photos(some(2))
    photos({"0.png": encoded(pixels(9), "PNG")})
    monkeypatch.setattr(scan, "decode", lambda content: pytest.fail("decoded again"))
    again = photos({"0.png": encoded(pixels(0), "PNG")})
    assert again.sha256 == first.sha256
    np.testing.assert_array_equal(again.read(slice(None)), first.read(slice(None)))


def test_a_picture_is_found_by_its_bytes_or_its_pixels_also_when_it_has_gone(photos):
    first = photos(some(3))
    entry, square = first.files["1.png"], first.read(slice(1, 2))[0]
    assert first.slot(entry.sha256, "") == entry.slot
    (photos.root / "1.png").unlink()
    (photos.root / "0.png").write_bytes(encoded(pixels(9), "PNG"))
    pool = photos()
    for sha256, seen in ((entry.sha256, ""), ("", entry.pixels)):
        np.testing.assert_array_equal(pool.squares[pool.slot(sha256, seen)], square)
    assert pool.slot(first.sha256[0], "") >= 0
    assert pool.slot("", "") == pool.slot("f" * 64, "e" * 64) == -1


def test_the_content_of_a_file_is_what_was_read_or_a_sentence(photos):
    files = some(2) | {"copy.bmp": encoded(pixels(1), "BMP")}
    pool = photos(files)
    assert {name: pool.content(name) for name in pool.files} == files
    (photos.root / "copy.bmp").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"copy\.bmp has changed since"):
        pool.content("copy.bmp")
    for name in ("../secret", "notes.txt"):
        with pytest.raises(UsageError, match="There is no picture"):
            pool.content(name)


def test_both_forms_of_a_letter_are_two_names(photos):
    forms = [unicodedata.normalize(form, "Zoë.png") for form in ("NFC", "NFD")]
    pool = photos({name: encoded(pixels(seed), "PNG") for seed, name in enumerate(forms)})
    assert set(pool.ids) == set(forms)
    assert len(pool) == 2
    assert list(photos().ids) == list(pool.ids)  # from the cache
    for seed, name in enumerate(forms):
        np.testing.assert_array_equal(decode(pool.content(name)), pixels(seed))


def test_a_file_that_changes_or_goes_is_never_shown_as_the_one_that_was_read(photos):
    pool = photos(some(3))
    (photos.root / "0.png").write_bytes(encoded(pixels(50), "PNG"))
    (photos.root / "1.png").unlink()
    with pytest.raises(UsageError, match=r"0\.png has changed since the folder was read"):
        pool.show(0)
    with pytest.raises(UsageError, match=r"1\.png cannot be read any more: No such file"):
        pool.show(1)
    np.testing.assert_array_equal(pool.show(2), pixels(2))
    assert list(photos().ids) == ["0.png", "2.png"]


def test_a_folder_that_has_moved_has_the_same_ids_and_rows(photos, tmp_path):
    first = photos({f"x/{name}": content for name, content in some().items()})
    shutil.move(photos.root, tmp_path / "elsewhere")
    moved = al.folder(tmp_path / "elsewhere", size=8, cache_dir=str(photos.cache))
    assert (list(moved.ids), moved.sha256) == (list(first.ids), first.sha256)
    np.testing.assert_array_equal(moved.read(slice(None)), first.read(slice(None)))


def test_a_renamed_file_is_not_decoded_again(photos, monkeypatch):
    photos(some(2))
    (photos.root / "1.png").rename(photos.root / "renamed.png")
    monkeypatch.setattr(scan, "decode", lambda content: pytest.fail("decoded again"))
    assert list(photos().ids) == ["0.png", "renamed.png"]


def test_a_scan_that_was_killed_goes_on_behind_the_last_whole_line(photos, monkeypatch):
    expected = photos(some(6), cache_dir=str(photos.cache / "whole")).read(slice(None))
    code = (
        "import os, sys, jax_al as al; from jax_al.pools import catalog, scan\n"
        "scan._TOGETHER = 2; keep = catalog.Catalog._grow; grown = []\n"
        "def grow(self, name, content):\n"
        "    if len(grown) == int(sys.argv[3]):\n"
        "        keep(self, name, content[:len(content) // 2]); os._exit(9)\n"
        "    grown.append(name); keep(self, name, content)\n"
        "catalog.Catalog._grow = grow\n"
        "al.folder(sys.argv[1], size=8, cache_dir=sys.argv[2])"
    )
    read = []
    content_of = scan.content_of
    monkeypatch.setattr(
        scan, "content_of", lambda root, name: read.append(name) or content_of(root, name)
    )
    for step in range(6):  # squares and lines of three blocks
        cache = str(photos.cache / str(step))
        ended = subprocess.run(
            [sys.executable, "-c", code, str(photos.root), cache, str(step)],
            check=False,
            env=os.environ | {"PYTHONPATH": str(pathlib.Path(al.__file__).parents[1])},
        )
        assert ended.returncode == 9
        read.clear()
        np.testing.assert_array_equal(photos(cache_dir=cache).read(slice(None)), expected)
        # Of a block whose lines were cut in the middle, the first line is whole.
        assert len(read) == 6 - 2 * (step // 2) - step % 2


def test_large_squares_are_kept_before_many_are_in_memory(photos, monkeypatch):
    together = []
    append = scan.Catalog.append
    monkeypatch.setattr(
        scan.Catalog, "append", lambda self, told, squares: (
            together.append(len(squares)), append(self, told, squares)
        ),
    )  # fmt: skip
    monkeypatch.setattr(scan, "_SQUARES", 2 * 3 * 8**2)
    photos(some(5))
    assert together == [2, 2, 1]


def test_squares_that_are_lost_are_made_again(photos):
    first = photos(some()).read(slice(None))
    (squares,) = photos.cache.rglob("squares.u8")
    os.truncate(squares, 8 * 8 * 3 * 2 + 5)
    np.testing.assert_array_equal(photos().read(slice(None)), first)
    (lines,) = photos.cache.rglob("catalog.jsonl")
    for broken in (b"{broken\n", b'["5.png", 1, 2, "", "", "0", ""]\n', b'["5.png", 1, 2'):
        lines.write_bytes(lines.read_bytes() + broken)
        np.testing.assert_array_equal(photos().read(slice(None)), first)


def test_a_file_that_could_not_be_read_is_tried_again(photos, monkeypatch):
    def denied(root, name):
        raise PermissionError(13, "Permission denied")

    photos(some(1))
    with monkeypatch.context() as patch:
        patch.setattr(scan, "content_of", denied)
        pool = photos({"1.png": encoded(pixels(1), "PNG")})
    assert [one.why for one in pool.passed_over] == ["cannot be read (Permission denied)"]
    assert len(photos()) == 2


def test_a_long_scan_says_what_it_takes_and_a_full_disk_is_seen_before(photos, monkeypatch, capsys):
    monkeypatch.setattr(scan, "_MANY", 3)
    photos(some(4))
    said = capsys.readouterr().err
    assert "Reading the 4 files of" in said
    assert "about 1 seconds" in said
    monkeypatch.setattr(scan.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(UsageError, match=r"need 768 bytes in .*, where 0 are free: make room"):
        photos(cache_dir=str(photos.cache / "other"))


@pytest.mark.parametrize("overhead", [0.0, 1e-4, 3e-3])
def test_how_long_a_scan_takes_is_told_well_where_sizes_are_mixed(monkeypatch, overhead):
    """A clock that a read moves on: by so much a file, and so much a byte of it."""
    rng = np.random.default_rng(0)
    sizes = rng.permutation([*rng.integers(5_000, 60_000, 4_950), *rng.integers(3e6, 9e6, 50)])
    files = [Found(str(n), int(size), 0) for n, size in enumerate(sizes)]
    clock = [0.0]

    def read(one):
        clock[0] += overhead + 3e-8 * one.size

    monkeypatch.setattr(scan.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(scan.os, "cpu_count", lambda: 2)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        told = scan.seconds_of(files, read, pool)
    takes = (overhead * len(files) + 3e-8 * sizes.sum()) / 2
    assert takes / 1.5 < told < takes * 1.5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 0}, "size is 0, but must be a whole number from 1 to 4096"),
        ({"size": 8.0}, "size is 8.0, but"),
        ({"fit": "stretch"}, "fit is 'stretch', but must be one of crop, pad"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(photos, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        photos(some(1), **options)


def test_a_folder_that_cannot_be_opened_is_named_itself(photos, tmp_path):
    photos(some(1))
    photos.root.chmod(0o711)
    tmp_path.chmod(0o777)
    with (
        not_as_root(photos.root),
        pytest.raises(
            UsageError, match=r"photos cannot be opened \(Permission denied\): see to it"
        ),
    ):
        photos(cache_dir=str(tmp_path / "other"))


def test_no_folder_no_picture_and_a_cache_within_are_sentences(photos, tmp_path):
    with pytest.raises(UsageError, match=r"gone is not there, and must be a folder"):
        al.folder(tmp_path / "gone")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"file is a file, and must be a folder"):
        al.folder(tmp_path / "file")
    with pytest.raises(UsageError, match=r"There is no picture in .*: 0 files were passed over\."):
        photos()
    with pytest.raises(UsageError, match=r": 1 file was passed over, x as it is none of JPEG"):
        photos({"x": b"y"})
    with pytest.raises(UsageError, match=r": 2 files were passed over, x as it is none of JPEG"):
        photos({"z": b"y"})
    with pytest.raises(UsageError, match=r"lies in the folder of pictures, where nothing is"):
        photos(some(1), cache_dir=str(photos.root / "cache"))
    assert len(photos(cache_dir=str(photos.root / ".cache"))) == 1  # where nobody looks
