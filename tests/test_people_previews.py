"""What the page shows: upright, small, made once, and never of another picture."""

import concurrent.futures
import functools
import hashlib
import io
import os
import threading

import numpy as np
import pytest
from made_up_pictures import encoded, pixels, png, turned
from PIL import Image

from jax_al.errors import UsageError
from jax_al.people import previews
from jax_al.people.previews import WIDTHS, Previews, preview
from jax_al.pools.pictures import decode

LARGE = pixels(1, 900, 1400)
ENCODED = functools.cache(lambda form, orientation: encoded(LARGE, form, exif=turned(orientation)))


def shown(content):
    image = Image.open(io.BytesIO(content))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return np.asarray(image)


def name_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_the_upright_picture_no_larger_than_asked(form, orientation, width):
    content = ENCODED(form, orientation)
    whole = decode(content)
    found = shown(preview(content, width))
    scale = min(1.0, width / max(whole.shape))
    sides = tuple(round(side * scale) for side in whole.shape[:2])
    assert found.shape[:2] == sides
    expected = np.asarray(Image.fromarray(whole).resize(sides[::-1], Image.Resampling.BICUBIC))
    assert np.abs(found.astype(int) - expected).mean() < 2


def test_a_jpeg_is_read_at_a_part_of_its_size_and_no_smaller_than_is_enough():
    content = encoded(LARGE, "JPEG", quality=95)
    for enough, sides in (
        (1400, (900, 1400)),
        (700, (450, 700)),
        (701, (900, 1400)),
        (9, (113, 175)),
    ):
        found = decode(content, enough=enough)
        assert found.shape[:2] == sides
        part = Image.fromarray(LARGE).resize(sides[::-1], Image.Resampling.BICUBIC)
        assert np.abs(found.astype(int) - np.asarray(part)).mean() < 2
    tall = encoded(pixels(2, 1000, 3), "JPEG")
    assert decode(tall, enough=100).shape[0] >= 100
    assert decode(encoded(LARGE, "PNG"), enough=100).shape == LARGE.shape


def test_gray_and_transparent_pixels_become_rgb_and_small_ones_stay_small():
    gray = np.full((8, 8, 1), 77, np.uint8)
    np.testing.assert_array_equal(shown(preview(gray, 320)), np.full((8, 8, 3), 77))
    clear = np.zeros((8, 8, 4), np.uint8)
    assert (shown(preview(clear, 320)) == 255).all()
    assert shown(preview(pixels(0, 1, 2000), 320)).shape == (1, 320, 3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cannot be shown: it is empty"),
        (encoded(LARGE, "JPEG")[:2000], "cannot be shown: it is broken"),
        (png(60_000, 60_000), "cannot be shown: it has .*too many"),
        (b"<svg onload=alert(1)>", "cannot be shown: it is none of"),
    ],
)
def test_what_is_no_picture_is_a_sentence_and_nothing_is_kept(tmp_path, content, sentence):
    kept = Previews(tmp_path)
    with pytest.raises(UsageError, match=sentence):
        kept.picture(name_of(content), lambda: content, 320)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("width", [0, 321, 10_000, -320])
def test_other_widths_are_refused_before_anything_is_read(tmp_path, width):
    with pytest.raises(UsageError, match=f"width is {width}, but must be one of 320, 1280, 2560"):
        Previews(tmp_path).picture("a" * 64, lambda: pytest.fail("was read"), width)
    with pytest.raises(UsageError, match="width is"):
        preview(b"", width)


def test_it_is_read_once_for_each_width_and_other_pictures_are_not_mixed_up(tmp_path):
    read = []
    contents = [encoded(pixels(seed, 400, 500), "JPEG") for seed in range(2)]

    def asked(which, width, kept):
        return kept.picture(
            name_of(contents[which]), lambda: read.append((which, width)) or contents[which], width
        )

    first = {(n, w): asked(n, w, Previews(tmp_path)) for n in (0, 1) for w in (320, 1280)}
    assert read == [(0, 320), (0, 1280), (1, 320), (1, 1280)]
    for (which, width), (content, media_type) in first.items():
        assert asked(which, width, Previews(tmp_path)) == (content, media_type)
        assert media_type == "image/jpeg"
        assert content == preview(contents[which], width)
    assert len(read) == 4


def test_many_threads_get_the_same_and_make_it_once_each(tmp_path):
    contents = [encoded(pixels(seed, 300, 400), "JPEG") for seed in range(4)]
    kept = Previews(tmp_path)
    wanted = [contents[n % 4] for n in range(40)]
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda c: kept.picture(name_of(c), lambda: c, 320)[0], wanted))
    assert found == [preview(content, 320) for content in wanted]
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == sorted(
        f"{name_of(content)}-320.jpg" for content in contents
    )


def test_who_waits_for_a_turn_takes_what_was_made_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(previews.os, "cpu_count", lambda: 1)
    kept, content, read = Previews(tmp_path), encoded(pixels(0), "PNG"), []
    begun = threading.Barrier(4)

    def asked(_):
        begun.wait()
        return kept.picture(name_of(content), lambda: read.append(1) or content, 320)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(asked, range(4)))) == 1
    assert read == [1]


def test_the_disk_is_counted_once(tmp_path, monkeypatch):
    kept = Previews(tmp_path)
    for seed in range(3):
        content = encoded(pixels(seed), "PNG")
        kept.picture(name_of(content), functools.partial(bytes, content), 320)
        monkeypatch.setattr(kept, "_all", lambda: pytest.fail("counted again"))


def test_those_used_longest_ago_go_where_there_are_too_many(tmp_path):
    contents = [encoded(pixels(seed, 200, 300), "PNG") for seed in range(9)]
    sizes = [len(preview(content, 320)) for content in contents]
    most = sum(sizes[:8]) + sizes[8] // 2
    for when, content in enumerate(contents[:8], 1):
        Previews(tmp_path, most).picture(name_of(content), lambda c=content: c, 320)
        os.utime(tmp_path / name_of(content)[:2] / f"{name_of(content)}-320.jpg", (when, when))
    kept = Previews(tmp_path, most)
    kept.picture(name_of(contents[0]), lambda: pytest.fail("was read"), 320)  # used just now
    kept.picture(name_of(contents[8]), lambda: contents[8], 320)
    left = {path.name.removesuffix("-320.jpg") for path in tmp_path.rglob("*.jpg")}
    assert {name_of(contents[0]), name_of(contents[8])} <= left
    assert name_of(contents[1]) not in left
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 0.75 * most
    # Counted on from there, without looking at the disk again.
    for content in contents:
        kept.picture(name_of(content), lambda c=content: c, 320)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= most


def test_where_nothing_can_be_kept_it_is_shown_all_the_same(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    kept = Previews(tmp_path / "file")
    content = encoded(pixels(0), "PNG")
    for _ in range(2):
        assert kept.picture(name_of(content), lambda: content, 320)[0] == preview(content, 320)
    assert caplog.text.count("Previews cannot be kept in") == 1


def test_a_kill_while_one_is_written_leaves_none(tmp_path, monkeypatch):
    content = encoded(pixels(0), "PNG")

    def killed(path, content):
        path.with_name(f".{path.name}.0.tmp").write_bytes(content[:9])
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(previews, "write_atomically", killed)
        with pytest.raises(SystemExit):
            Previews(tmp_path).picture(name_of(content), lambda: content, 320)
    assert Previews(tmp_path).picture(name_of(content), lambda: content, 320)[0] == preview(
        content, 320
    )
