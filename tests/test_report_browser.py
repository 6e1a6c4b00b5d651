"""The page in a real Chromium: no error, and everything that can be switched switches."""

import base64
import io
import json
import shutil
import tempfile
import time

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver

from jax_al.report import write_report
from jax_al.report.styles import DARK
from tests.made_up_runs import make_root, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
# Without a Chromium they fail; `make test` leaves them out there, and says so.
pytestmark = pytest.mark.browser
WIDTHS = {"wide": 1400, "phone": 390}
# What Chromium says of the software renderer of a machine without a GPU is not the page's.
ODD_CLASSES = ["<b>cat</b> & 5%{x}", "dog &amp; <extra>bird</extra>", "frog"]
ODD = "<i>odd</i> &amp; 5%{text}"
PALETTE = json.dumps(DARK)
NOT_OURS = ("WebGL", "GL Driver Message", "swiftshader")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    gains = {"bald": 0.0, "coreset": 0.05, "random": 0.0}
    make_root(root / "tree", gains, looks=True, seeds=range(2))
    write_report([root / "tree"], root / "page.html", files=False)
    return root / "page.html"


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "no Chromium: apt-get install chromium chromium-driver"
    assert DRIVER, "no chromedriver: apt-get install chromium-driver"
    profile = tempfile.mkdtemp(prefix="jax_al_browser_")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def open_page(browser, page):
    """Opens the page in a window of a width and a color scheme; afterwards nothing was wrong."""

    def visit(width="wide", scheme="light", path=page, drawn=True):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": WIDTHS[width], "height": 850, "deviceScaleFactor": 1,
                "mobile": width == "phone",
            },
        )  # fmt: skip
        browser.get_log("performance")
        browser.get(path.as_uri())
        until(browser, "return document.documentElement.dataset.ready === 'yes'")
        run(browser, "window.dispatchEvent(new Event('beforeprint'))")  # draws all pictures
        if drawn:
            until(browser, "return [...document.querySelectorAll('.plot')].every((p) => p.data)")
        return browser

    yield visit
    ours = [
        entry["message"]
        for entry in browser.get_log("browser")
        if not any(word in entry["message"] for word in NOT_OURS)
    ]
    assert ours == []


def run(browser, script, *arguments):
    return browser.execute_script(script, *arguments)


def until(browser, script, seconds=30):
    for _ in range(seconds * 20):
        if run(browser, script):
            return
        time.sleep(0.05)
    raise AssertionError(f"Not within {seconds} s: {script}")


def shown(browser, figure):
    """{strategy: whether its line is to be seen} in a figure."""
    return run(
        browser,
        """return Object.fromEntries(document.getElementById(arguments[0]).data
        .filter((t) => !t.meta.band).map((t) => [t.meta.strategy, t.visible === true]))""",
        f"plot-{figure}",
    )


def test_a_page_that_keeps_itself_fresh_comes_back_as_it_was_left(open_page, tmp_path):
    for name in ("random", "coreset"):
        make_run(tmp_path / "tree" / name, name, looks=True, max_episodes=9)
    write_report([tmp_path / "tree"], tmp_path / "page.html", files=False, refresh=4)
    browser = open_page(path=tmp_path / "page.html")
    click = "document.querySelector(arguments[0]).click()"
    run(browser, click, '.switch[data-strategy="coreset"]')
    run(browser, click, "#bands")
    choose = """const s = document.getElementById("map-strategy"); s.value = "coreset";
        s.dispatchEvent(new Event("change")); document.getElementById("map-on").click()"""
    run(browser, choose)
    state = """return [...document.querySelectorAll(".switch[aria-pressed]")]
        .map((button) => button.getAttribute("aria-pressed"))
        .concat([...document.querySelectorAll("#map-strategy, #map-seed, #map-episode")]
            .map((control) => control.value))
        """
    left = run(browser, state)
    run(browser, "window.isOld = true")
    until(browser, "return !window.isOld && document.documentElement.dataset.ready === 'yes'")
    assert run(browser, state) == left
    assert "false" in left


def test_the_page_loads_without_error_and_without_asking_a_network(open_page):
    browser = open_page()
    asked = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if "Network.requestWillBeSent" in entry["message"]
        and "request" in json.loads(entry["message"])["message"]["params"]
    ]
    assert asked
    assert [url[:5] for url in asked if url[:5] not in ("file:", "data:", "blob:")] == []
    assert run(browser, "return document.querySelectorAll('.plot .main-svg').length") >= 9


def test_a_switch_takes_a_strategy_out_of_every_picture_and_back(open_page):
    browser = open_page()
    everything = {"bald": True, "coreset": True, "random": True}
    assert shown(browser, "accuracy") == everything
    switch = browser.find_element("css selector", '[data-strategy="coreset"]')
    switch.send_keys("\ue007")  # Enter: a keyboard will do
    until(
        browser, "return document.querySelector('#plot-nll').data.some((t) => t.visible !== true)"
    )
    assert switch.get_attribute("aria-pressed") == "false"
    for figure in ("accuracy", "nll"):
        assert shown(browser, figure) == everything | {"coreset": False}
    assert shown(browser, "overlap") == {
        "bald and coreset": False, "bald and random": True, "coreset and random": False,
    }  # fmt: skip
    switch.click()
    assert shown(browser, "accuracy") == everything


def test_the_legend_is_a_switch_too(open_page):
    browser = open_page()
    run(browser, "document.querySelector('#plot-accuracy').scrollIntoView()")
    legend = browser.find_elements("css selector", "#plot-accuracy .legendtoggle")
    webdriver.ActionChains(browser).click(legend[0]).perform()
    until(browser, "return document.querySelector('[data-strategy=bald]').ariaPressed === 'false'")
    assert shown(browser, "nll")["bald"] is False


def test_intervals_can_be_switched_off(open_page):
    browser = open_page()
    bands = "return document.querySelector('#plot-accuracy').data.filter((t) => t.meta.band)"
    assert {trace["visible"] for trace in run(browser, bands)} == {True}
    browser.find_element("id", "bands").click()
    assert {trace["visible"] for trace in run(browser, bands)} == {False}


def test_pointing_at_a_curve_shows_its_values(open_page):
    browser = open_page()
    run(browser, "Plotly.Fx.hover('plot-accuracy', [{curveNumber: 3, pointNumber: 1}])")
    until(browser, "return document.querySelector('#plot-accuracy .hovertext')")
    text = run(browser, "return document.querySelector('#plot-accuracy .hovertext').textContent")
    assert "20 labels: 0." in text
    assert "95%" in text


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory):
    """Names that plotly would take for markup or for a template, and one map among two."""
    root = tmp_path_factory.mktemp("odd")
    make_run(root / "tree/a", "random", looks=True, seeds=range(2), episodes=3, classes=ODD_CLASSES)
    for seed in range(2):
        (root / f"tree/a/looks/seed_{seed}/map.npz").unlink()
    make_run(root / "tree/b", ODD, looks=True, seeds=range(2), episodes=3, classes=ODD_CLASSES)
    write_report([root / "tree"], root / "odd.html", reference=ODD, files=False)
    return root / "odd.html"


def hover(browser, figure, curve):
    """The text that pointing at a curve shows."""
    plot = f"#plot-{figure}"
    run(browser, f"document.querySelector('{plot}').scrollIntoView()")
    run(browser, f"Plotly.Fx.hover('plot-{figure}', [{{curveNumber: {curve}, pointNumber: 1}}])")
    until(browser, f"return document.querySelector('{plot} .hovertext')")
    return run(browser, f"return document.querySelector('{plot} .hovertext').textContent")


def texts(browser, selector):
    """The text of all elements that are selected."""
    script = "return [...document.querySelectorAll(arguments[0])].map((t) => t.textContent)"
    return run(browser, script, selector)


def test_names_are_shown_as_they_are_in_pictures_too(open_page, odd_names):
    browser = open_page(path=odd_names)
    curve = run(
        browser,
        """return document.querySelector('#plot-accuracy').data.findIndex(
        (t) => t.meta.strategy === arguments[0] && !t.meta.band)""",
        ODD,
    )
    assert hover(browser, "accuracy", curve).startswith(ODD)
    assert ODD in texts(browser, "#plot-accuracy .legendtext")
    assert ODD in texts(browser, "#plot-phases .ytick text")
    assert texts(browser, "#plot-difference .ytitle") == [f"accuracy minus {ODD}'s"]
    run(
        browser,
        """const s = document.getElementById("map-class"); s.value = "0";
        s.dispatchEvent(new Event("change"))""",
    )
    until(browser, "return document.querySelector('#plot-map').data.length === 4")
    assert texts(browser, "#plot-map .legendtext")[1] == ODD_CLASSES[0]
    # The unlabeled points lie below those of the class, and would answer for them.
    run(browser, "Plotly.restyle('plot-map', {visible: false}, [0])")
    run(
        browser,
        """const {x, y} = document.querySelector('#plot-map').data[1];
        Plotly.Fx.hover('plot-map', {xval: x[0], yval: y[0]})""",
    )
    until(browser, "return document.querySelector('#plot-map .hovertext')")
    assert texts(browser, "#plot-map .hovertext .nums") == [ODD_CLASSES[0]]
    # Plotly writes the name of the points beside it, unless it is the same text: here it is.
    assert texts(browser, "#plot-map .hovertext .name") == []


def test_the_map_opens_on_a_strategy_that_has_one(open_page, odd_names):
    browser = open_page(path=odd_names)
    chosen = "return document.getElementById('map-strategy').value"
    assert run(browser, chosen) == ODD
    assert browser.find_element("id", "map-card").is_displayed()


def test_episodes_have_whole_ticks(open_page, odd_names):
    browser = open_page(path=odd_names)
    for figure in ("class_balance", "cover_radius", "overlap"):
        ticks = texts(browser, f"#plot-{figure} .xtick text")
        assert ticks
        assert all(tick.isdecimal() for tick in ticks), (figure, ticks)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")
    for k in range(12):
        make_run(root / f"tree/s{k:02}", f"s{k:02}", gain=0.02 * k, seeds=range(2), episodes=3)
    make_run(root / "tree/random", seeds=range(2), episodes=3)
    write_report([root / "tree"], root / "many.html", files=False)
    return root / "many.html"


@pytest.mark.parametrize("width", WIDTHS)
def test_of_many_strategies_a_few_are_shown_and_the_others_can_be(open_page, many, width):
    browser = open_page(width, path=many)
    first = {"random", *(f"s{k:02}" for k in range(6, 12))}
    everybody = first | {f"s{k:02}" for k in range(6)}
    legend = "#plot-accuracy .legendtext"
    in_legend = f"return document.querySelectorAll('{legend}').length === "

    def lines(figure="accuracy"):
        return {name for name, is_shown in shown(browser, figure).items() if is_shown}

    text = browser.find_element("css selector", "body").text
    assert "7 of the 13 strategies: random and the 6 with the highest mean" in text
    assert lines() == first
    assert lines("nll") == first
    assert set(texts(browser, "[data-strategy][aria-pressed=true]")) == first
    assert set(texts(browser, legend)) == first
    colors = run(
        browser,
        """return document.getElementById("plot-accuracy").data
        .filter((t) => t.visible === true).map((t) => t.line.color)""",
    )
    assert len(set(colors)) == len(colors) == 7
    assert lines("overlap")  # pairs of those that are shown
    run(browser, "document.querySelector('[data-strategy=s03]').click()")
    until(browser, in_legend + "8")
    assert lines() == first | {"s03"}
    run(browser, "document.querySelector('[data-strategy=s02]').click()")
    until(browser, in_legend + "0")  # with nine it would take the room of the lines
    browser.find_element("id", "everybody").click()
    assert lines() == everybody
    browser.find_element("id", "everybody").click()
    assert lines() == set()


def test_the_slider_moves_the_map_and_the_gallery(open_page):
    browser = open_page()
    slider = browser.find_element("id", "map-episode")

    def points():
        traces = run(browser, "return document.querySelector('#plot-map').data")
        return {trace["name"]: len(trace["x"]) for trace in traces}

    def gallery():
        return browser.find_element("id", "gallery").text

    assert browser.find_element("id", "map-now").text == "episode 1 of 3"
    assert points() == {"unlabeled": 180, "labeled before": 10, "picked now": 10}
    first = gallery()
    assert first.count("score") == 10
    slider.send_keys("\ue014")  # right
    assert browser.find_element("id", "map-now").text == "episode 2 of 3"
    assert points() == {"unlabeled": 170, "labeled before": 20, "picked now": 10}
    assert gallery() != first
    slider.send_keys("\ue011")  # Home
    assert points() == {"unlabeled": 190, "labeled before": 0, "initial labels": 10}
    assert "score" not in gallery()
    browser.find_element("id", "map-on").click()
    assert gallery() == first
    run(
        browser,
        """const s = document.getElementById("map-strategy"); s.value = "random";
        s.dispatchEvent(new Event("change"))""",
    )
    assert gallery() != first


def test_playing_comes_to_the_end(open_page):
    browser = open_page()
    browser.find_element("id", "map-play").click()
    until(browser, "return document.getElementById('map-now').textContent.startsWith('episode 3')")
    until(browser, "return document.getElementById('map-play').textContent === 'Play'")


def test_the_keyboard_reaches_all_controls_and_the_focus_is_seen(open_page):
    browser = open_page()
    body = browser.find_element("tag name", "body")
    seen, outlines = set(), []
    for _ in range(80):
        body = browser.switch_to.active_element
        body.send_keys("\ue004")  # Tab
        active = browser.switch_to.active_element
        seen.add(active.get_attribute("id") or active.get_attribute("data-strategy"))
        outlines.append(active.value_of_css_property("outline-style"))
    assert {"coreset", "random", "bands", "map-strategy", "map-episode", "map-play"} <= seen
    assert "solid" in outlines


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_window_and_follows_the_scheme(open_page, width, scheme):
    browser = open_page(width, scheme)
    root = "document.documentElement"
    assert run(browser, f"return {root}.scrollWidth <= {root}.clientWidth")
    wider = run(
        browser,
        """return [...document.querySelectorAll('.plot')].filter(
        (p) => p.querySelector('.main-svg').clientWidth > p.clientWidth + 1).map((p) => p.id)""",
    )
    assert wider == []
    shot = browser.get_screenshot_as_png()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))
    assert (np.median(pixels) < 60) == (scheme == "dark")
    ink = run(browser, "return document.querySelector('#plot-accuracy').layout.font.color")
    assert ink == {"light": "#1b1f24", "dark": "#e8eaed"}[scheme]


LONG = "typiclust@a_rather_long_name_of_an_embedding"


@pytest.fixture(scope="module")
def long_names(tmp_path_factory):
    root = tmp_path_factory.mktemp("long")
    make_root(root / "tree", {LONG: 0.1, "random": 0.0, "margin": 0.05}, looks=True)
    write_report([root / "tree"], root / "long.html", files=False)
    return root / "long.html"


AREAS = "#verdict .scroll"


def test_a_phone_shows_the_names_and_the_difference_and_says_that_there_is_more(
    open_page, long_names
):
    browser = open_page("phone", path=long_names)
    for place in ("first", "scrolled"):
        seen = run(
            browser,
            """return [...document.querySelectorAll(arguments[0] + " thead th")].map((cell) => {
            const {left, right} = cell.getBoundingClientRect();
            return [cell.textContent, left >= 0 && right <= innerWidth]})
            """,
            AREAS,
        )
        whole = {name for name, is_seen in seen if is_seen}
        assert "strategy" in whole
        if place == "first":
            assert {"mean accuracy (area)", "minus random"} <= whole
            assert "seconds per seed" not in whole
            assert marks(browser) == {"data-wide": True, "data-more": True}
            cue = "return getComputedStyle(document.querySelector('#verdict .more'), '::before')"
            assert "Scroll sideways" in run(browser, cue + ".content")
            run(browser, f"document.querySelector('{AREAS}').scrollLeft = 9999")
            until(browser, "return !document.querySelector('#verdict .more[data-more]')")
        else:
            assert "seconds per seed" in whole
            assert marks(browser) == {"data-wide": True, "data-more": False}


def marks(browser):
    return {
        name: run(browser, f"return !!document.querySelector('#verdict .more[{name}]')")
        for name in ("data-wide", "data-more")
    }


def test_only_what_has_to_be_scrolled_is_a_stop_of_the_keyboard(open_page, long_names):
    stops = "return document.querySelector(arguments[0]).tabIndex"
    assert run(open_page("phone", path=long_names), stops, AREAS) == 0
    browser = open_page("wide")
    assert run(browser, stops, AREAS) == -1
    assert marks(browser) == {"data-wide": False, "data-more": False}


def colors(browser):
    """Of the lines of a picture, of a switch and of the points of the map."""
    return run(
        browser,
        """const of = (id) => document.getElementById(id).data;
        const swatch = document.querySelector("[data-strategy=coreset] svg");
        return [
          of("plot-accuracy").filter((t) => !t.meta.band).map((t) => t.line.color),
          of("plot-accuracy").filter((t) => !t.meta.band).map((t) => t.marker.color),
          of("plot-phases").map((t) => t.marker.color),
          [getComputedStyle(swatch).color],
          of("plot-map").map((t) => t.marker.color),
        ]""",
    )


def test_a_dark_page_has_brighter_lines_and_points_at_once(open_page, browser):
    light = colors(open_page("wide", "light"))
    dark = colors(open_page("wide", "dark"))
    for one, other in zip(light, dark, strict=True):
        assert len(one) == len(other) > 0
        assert not set(one) & set(other)
    assert set(dark[0]) <= set(DARK.values())
    assert dark[0] == dark[1]
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "light"}]},
    )
    until(browser, f"return document.querySelector('#plot-nll').data[3].line.color in {PALETTE}")
    assert colors(browser) == light


def test_each_strategy_says_what_its_scores_are(open_page):
    browser = open_page()
    choose = """const s = document.getElementById("map-strategy"); s.value = arguments[0];
        s.dispatchEvent(new Event("change"));
        return document.getElementById("gallery-score").textContent"""
    assert "mutual information" in run(browser, choose, "bald")
    assert run(browser, choose, "coreset") == (
        "Score: distance to the nearest labeled or earlier picked point."
    )
    assert run(browser, choose, "random") == "No score: chance alone picks."
    described = "return document.getElementById('gallery').getAttribute('aria-describedby')"
    assert "gallery-score" in run(browser, described).split()


def test_every_control_has_a_name_and_a_role_and_stands_in_a_region(open_page):
    browser = open_page("phone")
    for element in browser.find_elements(
        "css selector", "button, select, input, a[href], summary, [tabindex], [role=img], pre"
    ):
        if not element.is_displayed() or element.get_attribute("class") == "skip":
            continue
        shown = element.get_attribute("outerHTML")[:200]
        assert element.aria_role not in ("generic", "none", ""), shown
        assert element.accessible_name.strip(), shown
        inside = "return !!arguments[0].closest('header, main, footer, section[aria-label]')"
        assert run(browser, inside, element), shown


def test_the_keyboard_goes_through_all_controls_in_the_order_of_the_page(open_page):
    browser = open_page()
    wanted = run(
        browser,
        """const all = [...document.querySelectorAll(
            "a[href], button, select, input, summary, pre, .scroll")];
        const shown = all.filter((e) => e.tabIndex === 0 && e.checkVisibility());
        shown.forEach((e, k) => { e.dataset.stop = k; });
        return shown.length""",
    )
    assert wanted > 30
    stops = []
    for _ in range(wanted):
        browser.switch_to.active_element.send_keys("\ue004")  # Tab
        stops.append(browser.switch_to.active_element.get_attribute("data-stop"))
    assert stops == [str(k) for k in range(wanted)]


def test_a_browser_that_cannot_unpack_plotly_says_so_and_shows_the_rest(open_page, browser):
    script = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.DecompressionStream"}
    )
    try:
        browser.get(browser.current_url)
        open_page(drawn=False)
        assert browser.find_element("id", "no-pictures").is_displayed()
        assert browser.find_element("css selector", "#verdict table").is_displayed()
        browser.find_element("id", "map-on").click()
        assert browser.find_element("id", "map-now").text == "episode 2 of 3"
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert not open_page().find_element("id", "no-pictures").is_displayed()


def test_the_scheme_may_change_while_the_page_is_open(open_page, browser):
    open_page("wide", "light")
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    until(
        browser,
        "return document.querySelector('#plot-accuracy').layout.font.color === '#e8eaed'",
    )


def test_a_page_of_one_run_without_looks_works_too(open_page, tmp_path):
    write_report([make_run(tmp_path / "run")], tmp_path / "one.html", files=False)
    browser = open_page(path=tmp_path / "one.html")
    assert not browser.find_elements("id", "plot-map")
    assert not browser.find_elements("css selector", ".switch")


def test_thumbnails_are_the_pictures_that_were_picked(open_page, tmp_path):
    run_dir = make_run(tmp_path / "run", looks=True, seeds=range(1), thumbnail=16)
    file = run_dir / "looks/seed_0/episode_001.npz"
    with np.load(file) as look:
        arrays = dict(look)
    colors = np.array([(200, 30, 30), (30, 200, 30), (30, 30, 200)], np.uint8)
    arrays["images"] = np.broadcast_to(
        colors[np.arange(10) % 3, None, None], (10, 16, 16, 3)
    ).copy()
    np.savez(file, **arrays)
    write_report([run_dir], tmp_path / "one.html", files=False)
    browser = open_page(path=tmp_path / "one.html")
    thumbs = browser.find_elements("css selector", ".thumb")
    for k in (0, 1, 5, 9):
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", thumbs[k])
        picture = Image.open(io.BytesIO(base64.b64decode(thumbs[k].screenshot_as_base64)))
        color = np.array(picture.convert("RGB").getpixel((40, 40)), int)
        assert np.abs(color - colors[k % 3]).max() < 40, (k, color)


def test_picks_of_a_table_of_which_nobody_knows_the_classes_are_named(open_page, tmp_path):
    root = make_root(
        tmp_path / "run", {"margin": 0}, looks=True, seeds=range(1), channels=0, truth=False
    )
    write_report([root], tmp_path / "one.html", files=False)
    browser = open_page(path=tmp_path / "one.html")
    assert not browser.find_elements("css selector", ".thumb")
    items = texts(browser, "#gallery li")
    assert len(items) == 10
    for item in items:
        assert item.startswith("class unknownrow <")
        assert "predicted" in item
    assert texts(browser, "#gallery-caption") == ["The first 10, in pick order."]
    assert texts(browser, "#map-caption")[0].startswith("Each point is an example of the pool")
    found = run(browser, "return document.querySelector('#plot-map').data[0].text")
    assert set(found) == {"class unknown"}
