"""The page in a real Chromium, by keys alone, on a desk in memory behind a real server."""

import json
import threading

import pytest
from selenium.webdriver import ActionChains, Keys

from jax_al.errors import UsageError
from tests import page_browser
from tests.made_up_desk import MadeUpDesk
from tests.made_up_pictures import encoded, pixels
from tests.page_browser import SHOWN, press, saved, text, twelve
from tests.page_server import serving
from tests.test_report_browser import run, until

browser, labeling, pytestmark = page_browser.browser, page_browser.labeling, page_browser.pytestmark
ODD = (
    """<img src=x onerror="window.odd = 1"> & "it's" {x} </button><script>window.odd = 1</script>"""
)


def test_fifty_labels_by_keyboard_alone(browser, labeling):
    desk = MadeUpDesk(60, ["cat", "dog", "cow"])
    labeling(desk)
    said = [("cat", "dog", "cow")[k * k % 3] for k in range(50)]
    press(browser, *(str(1 + desk.names.index(one)) for one in said))
    saved(browser)
    assert desk.calls == list(enumerate(said))
    assert run(browser, "return document.activeElement.id") == "stage"
    until(browser, f"return document.querySelector('.count').textContent === '{said.count('cat')}'")


def test_skip_unsure_broken_and_their_undoing(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    press(browser, Keys.SPACE, "u", "b", "1", Keys.BACKSPACE, Keys.BACKSPACE, "2")
    saved(browser)
    assert desk.calls == [
        (0, "skip"), (1, "unsure"), (2, "broken"), (3, "cat"), (3, None), (2, None), (2, "dog"),
    ]  # fmt: skip
    assert run(browser, SHOWN) == "3"


def test_undo_reaches_back_to_before_the_page_was_opened(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    desk.answer(5, "cat", "an earlier one", "token", 1.0)
    labeling(desk)
    press(browser, Keys.BACKSPACE)
    until(browser, SHOWN + " === '5'")
    press(browser, "2")
    saved(browser)
    assert desk.told == {5: "dog"}


def test_a_key_that_is_held_labels_once(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    for is_repeated in (False, True, True, True):
        event = {"key": "1", "code": "Digit1", "text": "1", "autoRepeat": is_repeated}
        browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", **event})
    browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", "key": "1"})
    press(browser, "2")
    saved(browser)
    assert desk.calls == [(0, "cat"), (1, "dog")]


def test_nothing_is_labeled_that_was_not_seen(browser):
    desk = MadeUpDesk(20, ["cat", "dog"])
    real, desk.picture = desk.picture, lambda row, width: (b"no picture", "application/x-broken")
    with serving(desk) as served:
        browser.get(served.address)
        until(browser, "return document.getElementById('caption').textContent")
        assert text(browser, "#stage") == "Loading the picture"
        ActionChains(browser).send_keys("1").perform()
        assert text(browser, "#live") == "Not yet: the picture is loading."
        desk.picture = real
        press(browser, "2")
        saved(browser)
        assert desk.calls == [(0, "dog")]


def test_twelve_are_not_labeled_before_they_were_seen(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    real, shown = desk.picture, threading.Event()

    def picture(row, width):
        assert width > 320 or shown.wait(30)
        return real(row, width)

    desk.picture = picture
    labeling(desk)
    press(browser, "g")
    until(browser, "return !document.getElementById('grid').hidden")
    press(browser, "1")
    assert text(browser, "#live") == "Not yet: pictures are loading."
    shown.set()
    twelve(browser)
    press(browser, "2")
    saved(browser)
    assert set(desk.told.values()) == {"dog"}


def test_a_tile_that_cannot_be_shown_now_is_asked_for_again_and_one_that_never_can_says_why(
    browser, labeling
):
    desk = MadeUpDesk(30, ["cat", "dog"])
    real, mended = desk.picture, threading.Event()

    def picture(row, width):
        if width == 320 and row == 3 and not mended.is_set():
            raise OSError(5, "the disk is away")
        if width == 320 and row == 4:
            raise UsageError("It has gone.")
        return real(row, width)

    desk.picture = picture
    labeling(desk)
    press(browser, "g")
    until(browser, "return document.querySelector('#tiles .fault')")
    assert text(browser, "#tiles .fault") == "It has gone."
    press(browser, "1")
    assert text(browser, "#live") == "Not yet: pictures are loading."
    mended.set()
    until(browser, "return document.querySelectorAll('#tiles img').length === 11")
    press(browser, "2")
    saved(browser)
    assert desk.told == dict.fromkeys(range(12), "dog")


def test_a_tile_that_is_taken_out_need_not_be_seen(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    real = desk.picture

    def picture(row, width):
        if width == 320 and row == 0:
            raise OSError(5, "the disk is away")
        return real(row, width)

    desk.picture = picture
    labeling(desk)
    press(browser, "g")
    until(browser, "return document.querySelectorAll('#tiles img').length === 11")
    press(browser, " ", "2")  # the first one is where the keys are
    saved(browser)
    assert desk.told == dict.fromkeys(range(1, 12), "dog")


def test_at_the_end_it_says_so_and_the_way_back_is_open(browser, labeling):
    desk = MadeUpDesk(1, ["cat", "dog"])
    labeling(desk)
    press(browser, "1")
    until(browser, "return document.getElementById('stage').textContent.startsWith('Nothing')")
    for key in ("2", "z", Keys.LEFT):
        ActionChains(browser).send_keys(key).perform()
        if key == "2":
            assert text(browser, "#live") == "Nothing is left to label."
    until(browser, SHOWN + " === '0'")
    assert text(browser, "#banner") == "1 back: you said cat"
    saved(browser)
    assert desk.calls == [(0, "cat")]


@pytest.mark.parametrize("width", [390, 1280])
def test_names_of_any_length_stay_within_their_buttons(browser, labeling, width):
    names = ["long " * 30, "L" * 150, *(f"class {k}" for k in range(23))]
    labeling(MadeUpDesk(20, names), width=width, mobile=width < 900)
    script = """return [...document.querySelectorAll("#classes button")].map((button) => {
        const a = button.getBoundingClientRect();
        const b = button.querySelector(".name").getBoundingClientRect();
        return b.top >= a.top && b.bottom <= a.bottom && b.right <= a.right; })"""
    assert run(browser, script) == [True] * 25


def test_looking_back_and_changing_what_was_said(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    desk.answer(7, "cat", "an earlier one", "token", 1.0)
    labeling(desk)
    press(browser, "1", "1", Keys.LEFT, Keys.LEFT)
    assert run(browser, SHOWN) == "0"
    assert text(browser, "#banner") == "2 back: you said cat"
    press(browser, "2", Keys.ESCAPE)  # not sure
    press(browser, "2", Keys.ENTER)
    until(browser, "return document.getElementById('banner').textContent.endsWith('dog')")
    saved(browser)
    assert desk.told == {7: "cat", 0: "dog", 1: "cat"}
    press(browser, Keys.LEFT)  # what an earlier page said
    until(browser, SHOWN + " === '7'")
    press(browser, Keys.RIGHT, Keys.RIGHT, Keys.RIGHT)
    assert run(browser, SHOWN) == "2"
    assert not browser.find_element("id", "banner").is_displayed()
    press(browser, Keys.BACKSPACE)  # the change is undone, and not the label
    saved(browser)
    assert desk.told == {7: "cat", 0: "cat", 1: "cat"}


def test_a_question_that_follows_another_within_a_frame_has_its_own_answer(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    press(browser, "1", Keys.LEFT)
    run(
        browser,
        """const two = { key: "2", code: "Digit2", bubbles: true };
        const press = () => document.body.dispatchEvent(new KeyboardEvent("keydown", two));
        press();
        document.getElementById("sure").close();
        press();
        document.querySelector("#sure [value=yes]").click()""",
    )
    until(browser, "return document.getElementById('banner').textContent.endsWith('dog')")
    saved(browser)
    assert desk.calls == [(0, "cat"), (0, "dog")]
    assert run(browser, "return document.querySelectorAll('#sure').length") == 1


def test_twelve_alike_are_labeled_and_undone_in_one_go(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    labeling(desk)
    press(browser, "g")
    twelve(browser)
    press(browser, Keys.RIGHT, Keys.SPACE, Keys.DOWN, Keys.SPACE, Keys.SPACE)
    assert text(browser, "#grid-text").startswith("A class labels the 11 of 12")
    press(browser, "2")
    saved(browser)
    assert desk.told == dict.fromkeys((0, *range(2, 12)), "dog")
    assert run(browser, SHOWN) == "1"
    press(browser, Keys.BACKSPACE)
    saved(browser)
    assert desk.told == {}
    assert run(browser, SHOWN) == "0"
    press(browser, "g")
    until(browser, "return !document.getElementById('grid').hidden")
    press(browser, Keys.ESCAPE, "1")
    saved(browser)
    assert desk.told == {0: "cat"}


def test_zoom_moves_by_arrows(browser, labeling):
    labeling(MadeUpDesk(20, ["cat", "dog"]))
    place = "const s = document.getElementById('stage'); return [s.scrollLeft, s.scrollTop]"
    assert run(browser, place) == [0, 0]
    press(browser, "z")
    before = run(browser, place)
    assert min(before) > 0
    press(browser, Keys.LEFT, Keys.UP)
    assert all(a > b for a, b in zip(before, run(browser, place), strict=True))
    press(browser, "z", Keys.LEFT)
    assert run(browser, place) == [0, 0]


@pytest.mark.parametrize(("width", "height"), [(120, 90), (160, 40), (30, 120)])
def test_zoom_is_three_times_what_was_to_be_seen_and_all_of_it_can_be_reached(
    browser, labeling, width, height
):
    desk = MadeUpDesk(20, ["cat", "dog"])
    picture = encoded(pixels(0, height, width), "JPEG")
    desk.picture = lambda row, wanted: (picture, "image/jpeg")
    labeling(desk, width=390, height=844, mobile=True)
    place = """const s = document.getElementById("stage"), b = s.getBoundingClientRect();
        const i = s.querySelector("img").getBoundingClientRect();
        return [i.left + s.scrollLeft - b.left - s.clientLeft,
          i.top + s.scrollTop - b.top - s.clientTop,
          i.width / s.clientWidth, i.height / s.clientHeight, i.width - s.scrollWidth,
          (i.left + i.right - b.left - b.right) / 2, (i.top + i.bottom - b.top - b.bottom) / 2]"""
    press(browser, "z")
    left, top, wide, high, *rest = run(browser, place)
    assert (left, top) == pytest.approx((0, 0), abs=1)
    assert (wide, high) == pytest.approx((3, 3), abs=0.05)
    assert rest == pytest.approx([0, 0, 0], abs=2)  # its middle is in the middle
    fit = "return getComputedStyle(document.querySelector('#stage img')).objectFit"
    assert run(browser, fit) == "contain"


def test_classes_are_added_renamed_merged_and_found_by_keys(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    names = "return [...document.querySelectorAll('#classes .name')].map((n) => n.textContent)"
    press(browser, "n", "cow", Keys.ENTER)
    until(browser, names + ".join() === 'cat,dog,cow'")
    press(browser, "3")
    press(browser, "n", "cow", Keys.ENTER)
    until(browser, "return document.getElementById('class-fault').textContent.includes('already')")
    press(browser, Keys.TAB, Keys.TAB, "d", Keys.TAB, "ox", Keys.ENTER)
    until(browser, names + ".join() === 'cat,ox,cow'")
    press(browser, "n", Keys.TAB, Keys.TAB, "cow", Keys.TAB, "cat", Keys.ENTER)
    until(browser, "return document.getElementById('sure').open")
    press(browser, Keys.ENTER)
    until(browser, names + ".join() === 'cat,ox'")
    press(browser, "/", "x", Keys.ENTER)
    saved(browser)
    assert desk.told == {0: "cat", 1: "ox"}


def test_help_takes_the_keys_and_gives_them_back(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    press(browser, "?", "1", "2", Keys.BACKSPACE, Keys.ESCAPE, "2")
    saved(browser)
    assert desk.calls == [(0, "dog")]


def test_keys_of_classes_and_of_commands_never_clash(browser, labeling):
    labeling(MadeUpDesk(20, ["cat", "dog"]))
    names = [f"class {k}" for k in range(10)]
    more = ["bun", "Zebra", "Érable", "zug", "ünb", "кот", "нос", "cal", "cls", "123"]
    script = """const done = arguments[arguments.length - 1];
        import("/static/keys.js").then((m) => done([m.keysOf(arguments[0]), m.COMMANDS]))"""
    keys, commands = browser.execute_async_script(script, names + more)
    assert keys[:10] == list("1234567890")
    # A letter of the name, without its accents, that is no command and nobody's yet.
    assert keys[10:] == ["", "e", "r", "", "", "к", "н", "c", "l", ""]
    assert not set(keys) & set(commands)
    fewer, _ = browser.execute_async_script(script, names + more[:5])
    assert fewer == keys[:15]


@pytest.mark.parametrize(
    ("event", "keys"),
    [
        ({"key": "1", "code": "Digit1"}, ["1"]),
        ({"key": "&", "code": "Digit1"}, ["1", "&"]),  # a French keyboard
        ({"key": "/", "code": "Digit7", "shiftKey": True}, ["/"]),  # a German one
        ({"key": "ш", "code": "KeyU"}, ["ш", "u"]),  # a Russian one
        ({"key": "q", "code": "KeyA"}, ["q"]),
        ({"key": "U", "code": "KeyU", "shiftKey": True}, ["u"]),
        ({"key": "r", "code": "KeyR", "ctrlKey": True}, []),
        ({"key": "Tab", "code": "Tab"}, ["Tab"]),
    ],
)
def test_keyboards_differ(browser, labeling, event, keys):
    labeling(MadeUpDesk(1, ["cat", "dog"]))
    script = """const done = arguments[arguments.length - 1];
        import("/static/keys.js").then((m) => done(m.meant(new KeyboardEvent("", arguments[0]))))"""
    assert browser.execute_async_script(script, event) == keys


def test_names_are_text_wherever_they_are_shown(browser, labeling):
    desk = MadeUpDesk(20, ["cat", ODD], [f"{ODD}/{k}.jpg" for k in range(20)], errors=[ODD])
    labeling(desk)
    press(browser, "2", "g")
    twelve(browser)
    press(browser, Keys.ESCAPE, Keys.LEFT, "1", Keys.ESCAPE)
    assert text(browser, "#banner") == f"1 back: you said {ODD}"
    press(browser, Keys.RIGHT, "/", "o")
    until(browser, "return document.querySelector('#find-list button')")
    press(browser, Keys.ESCAPE, "n", Keys.ESCAPE)
    desk.told[1] = "cat"
    press(browser, "2")
    until(browser, "return document.querySelector('#notices li')")
    assert text(browser, "#caption") == f"{ODD}/2.jpg"
    for place in ("#classes", "#advice", "#sure", "#notices", "#tiles", "#find-list", "#live"):
        assert ODD in text(browser, place), place
    assert not run(browser, "return window.odd")
    script = "document.body.insertAdjacentHTML('beforeend', arguments[0])"
    run(browser, script, '<img src=x onerror="window.odd = 2">')  # if a name were markup after all
    until(browser, "return document.querySelector('img[src=x]').complete")
    assert not run(browser, "return window.odd")
    log = [entry["message"] for entry in browser.get_log("browser")]
    assert any("Content Security Policy" in one for one in log)


def test_nobody_else_is_asked(browser, labeling):
    browser.get_log("performance")
    labeling(MadeUpDesk(20, ["cat", "dog"]))
    press(browser, "1", "g", Keys.ESCAPE, "z", "z")
    asked = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if json.loads(entry["message"])["message"]["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith("http://127.0.0.1:")] == []


def test_an_item_without_a_picture_is_text(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    desk.picture = lambda row, width: (f"<b>line {row}</b>\nmore".encode(), "text/plain")
    labeling(desk)
    assert text(browser, "#stage") == "<b>line 0</b>\nmore"
    press(browser, "1")
    until(browser, SHOWN + " === '1'")
    assert text(browser, "#stage") == "<b>line 1</b>\nmore"


def test_a_picture_that_cannot_be_shown_says_why_and_can_be_called_broken(browser, labeling):
    desk, real = MadeUpDesk(20, ["cat", "dog"]), MadeUpDesk(20, [])

    def picture(row, width):
        return real.picture(row if row else 99, width)

    desk.picture = picture
    labeling(desk)
    assert text(browser, "#stage") == "There is no row 99."
    press(browser, "b", "1")
    saved(browser)
    assert desk.calls == [(0, "broken"), (1, "cat")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 844), (1280, 800), (844, 390)])
def test_everything_fits_and_can_be_touched_and_read(browser, labeling, width, height, scheme):
    desk = MadeUpDesk(20, [f"class number {k}" for k in range(12)])
    labeling(desk, width=width, height=height, mobile=width < 900, scheme=scheme)
    assert run(browser, "return document.documentElement.scrollWidth") <= width
    boxes = run(
        browser,
        """return [...document.querySelectorAll("#classes button, #commands button")]
        .map((b) => b.getBoundingClientRect()).map((r) => [r.width, r.height])""",
    )
    least = 44 if width < 760 else 38
    assert all(min(box) >= least for box in boxes), boxes
    stage = run(browser, "return document.querySelector('#stage img').getBoundingClientRect()")
    assert stage["width"] * stage["height"] > 0.2 * width * height
    contrast = run(browser, CONTRAST)
    assert min(contrast.values()) >= 4.5, contrast  # WCAG 2.2, 1.4.3


@pytest.mark.parametrize(
    ("width", "height"), [(360, 640), (390, 844), (412, 915), (844, 390), (1280, 800), (1280, 600)]
)
@pytest.mark.parametrize("num_classes", [2, 12])
def test_all_twelve_and_what_labels_them_are_in_sight(
    browser, labeling, width, height, num_classes
):
    desk = MadeUpDesk(20, [f"class number {k}" for k in range(num_classes)])
    labeling(desk, width=width, height=height, mobile=width < 900)
    press(browser, "g")
    twelve(browser)
    boxes = run(
        browser,
        """const b = document.getElementById("tiles").getBoundingClientRect();
        return [...document.querySelectorAll("#tiles button")].map((t) => t.getBoundingClientRect())
        .map((t) => [t.width, t.height, t.top - b.top, b.bottom - t.bottom])""",
    )
    assert all(min(wide, high) >= 44 for wide, high, *_ in boxes), boxes
    assert all(min(inside) >= 0 for _, _, *inside in boxes), boxes
    below = """return ["classes", "commands"].map((id) => document.getElementById(id))
        .map((e) => [e.clientHeight, innerHeight - e.getBoundingClientRect().bottom])"""
    (classes, _), (_, end) = run(browser, below)
    assert classes > 50
    assert end >= 0


@pytest.mark.parametrize(("width", "height"), [(320, 568), (360, 640), (390, 844)])
def test_the_way_out_of_twelve_is_in_sight_while_a_conflict_waits(browser, labeling, width, height):
    desk = MadeUpDesk(20, [f"class number {k}" for k in range(12)], errors=["It does not train."])
    labeling(desk, width=width, height=height, mobile=True)
    notice = """const one = document.createElement("li");
        one.innerHTML = "<span>007.jpg is class number 3, as somebody else has said.</span>"
            + "<button>Keep it</button><button>It is class number 4</button>";
        document.getElementById("notices").append(one)"""
    run(browser, notice)
    press(browser, "g")
    twelve(browser)
    sizes = run(
        browser,
        """const ids = ["tiles", "classes", "commands", "advice"];
        return ids.map((id) => document.getElementById(id))
            .map((e) => [e.clientHeight, innerHeight - e.getBoundingClientRect().bottom])""",
    )
    assert all(high >= 50 for high, _ in sizes[:3]), sizes
    assert all(below >= 0 for _, below in sizes), sizes
    assert sizes[3][0] > 10  # a fault is told there, too


CONTRAST = """
const style = getComputedStyle(document.documentElement);
const light = (name) => {
  const hex = style.getPropertyValue(name).trim().slice(1);
  const [r, g, b] = [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16) / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
};
const pairs = [["--ink", "--back"], ["--soft", "--back"], ["--soft", "--card"],
  ["--good", "--back"], ["--ink", "--warn"], ["--ink", "--card"], ["--back", "--link"],
  ["--soft", "--stage"]];
return Object.fromEntries(pairs.map(([a, b]) =>
  [a + b, Math.max(light(a), light(b)) / Math.min(light(a), light(b))]));
"""


def test_a_screen_reader_is_told(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    shown = [node for node in tree if not node["ignored"]]
    buttons = [n for n in shown if n["role"]["value"] == "button"]
    names = [node["name"]["value"] for node in buttons]
    assert len(names) >= 13
    assert all(names)
    assert "1 cat 0 labeled" in names  # it begins with what is to be seen: WCAG 2.2, 2.5.3
    assert run(browser, "return document.getElementById('live').ariaLive") == "polite"
    press(browser, "1")
    assert text(browser, "#live") == "cat. Next: photos/001.jpg"
    places = []
    for _ in range(3):
        press(browser, Keys.TAB)
        places.append(run(browser, "return document.activeElement.innerText"))
    assert [place.split()[1] for place in places] == ["cat", "dog", "Undo"]
    press(browser, Keys.SPACE)  # for the button that has the focus
    saved(browser)
    assert desk.calls == [(0, "cat"), (0, None)]
