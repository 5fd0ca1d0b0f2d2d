"""The page in a real browser: Chromium without a head, on runs that are really trained.

Skipped where there is no Chromium (Debian's package ``chromium``, or the one that
CIRRUS_TEST_CHROMIUM names) or no playwright to drive it with.
"""

import os
import shutil
import threading
from contextvars import copy_context

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression, config_context

from .conftest import START, epoch

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CIRRUS_TEST_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, dashboard):
    """Open the dashboard's page; errors in it fail the test."""
    opened, errors = [], []

    def open_page(**options):
        context = browser.new_context(**options)
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.goto(dashboard.url)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert errors == []


def value(page, name):
    """The number in a tile."""
    return page.locator(f"#facts dt:text-is('{name}') + dd")


def test_a_fit_appears_its_curves_move_and_stop_stops_it(open_page, tmp_path):
    page = open_page()
    page.get_by_text("Nothing has run yet").wait_for()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 10))
    y = (X[:, 0] > 0).astype(int)
    clf = CirrusLogisticRegression(backend="inline", max_iter=10**6, tol=None, random_state=0)
    caught = []

    def fit():
        with pytest.warns(ConvergenceWarning, match="was stopped from the dashboard") as warned:
            clf.fit(X, y)
        caught.extend(warned)

    with config_context(journal=str(tmp_path)):
        thread = threading.Thread(target=copy_context().run, args=(fit,), daemon=True)
        thread.start()
    try:
        page.locator("#runs .status.running").wait_for()
        page.locator("figure canvas").first.wait_for()
        drawn = page.evaluate("document.querySelector('canvas').toDataURL()")
        moved = "before => document.querySelector('canvas').toDataURL() !== before"
        page.wait_for_function(moved, arg=drawn)
        assert page.get_by_role("img", name="Loss. train").count() == 1
    finally:
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Stop").click()
        thread.join(30)
    assert not thread.is_alive() and len(caught) == 1 and clf.n_iter_ > 0
    page.locator("#head .status.stopped").wait_for()
    assert page.locator("#stop").count() == 0


def test_runs_are_compared_with_the_keyboard_alone(open_page, write):
    for number, solver in enumerate(["sgd", "adam", "ftrl"]):
        params = {"solver": solver, "C": 1.0, "<b>": "<script>alert(1)</script>"}
        start = START | {"id": f"a{number}", "params": params}
        write(
            f"{number}-a{number}",
            start,
            *map(epoch, range(1, 9)),
            {"event": "end", "reason": "done"},
        )
    page = open_page()
    page.locator("#runs li").nth(2).wait_for()
    page.locator("#filter").focus()
    page.keyboard.press("Tab")  # the box for parts of searches
    page.keyboard.press("Tab")  # the box of the newest run, which is shown already
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.get_by_role("heading", name="3 compared").wait_for()
    row = page.get_by_role("region", name="Comparison").locator(
        "tr", has=page.get_by_role("rowheader", name="solver")
    )
    assert row.locator("td").all_inner_texts() == ["ftrl", "adam", "sgd"]
    assert page.get_by_role("rowheader", name="C", exact=True).count() == 0  # the same in all
    page.locator("input[value=cost]").check()
    page.get_by_text("US dollars", exact=True).first.wait_for()
    page.locator("#filter").fill("adam")
    assert page.locator("#runs li").count() == 1


def test_the_best_and_the_worst_of_a_search_and_drop(open_page, write, tmp_path):
    params = [{"C": float(c)} for c in range(12)]
    rows = [[c, 3, c / 10, c / 10, "training"] for c in range(12)]
    candidate = {"estimator": "CirrusLogisticRegression", "params": {}}
    write(
        *("1-s", START | {"kind": "search", "candidate": candidate, "splits": 2}),
        *({"event": "candidates", "first": 0, "params": params}, epoch(1, fits=24)),
        {"event": "standing", "candidates": rows},
    )
    page = open_page()
    page.get_by_role("heading", name="Best 5 of 12 candidates").wait_for()
    assert page.locator("#board tbody th").all_inner_texts() == [
        *("0", "1", "2", "3", "4", "7", "8", "9", "10", "11")
    ]
    with page.expect_response("**/commands") as answer:
        page.get_by_role("button", name="Drop candidate 11").click()
    assert answer.value.status == 202
    with page.expect_response("**/commands") as answer:
        page.get_by_label("Add candidates").fill('{"C": [99]}')
        page.get_by_role("button", name="Add").click()
    assert answer.value.status == 202
    page.get_by_label("Add candidates").fill("no JSON")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("alert").get_by_text("JSON").wait_for()
    assert (tmp_path / "1-s.commands").read_text().splitlines() == [
        '{"command":"drop","candidates":[11]}',
        '{"command":"add","param_grid":{"C":[99]}}',
    ]


CALL = START | {"kind": "call", "id": "c", "estimator": "fit_and_score", "params": None}


def write_one_of_each(write):
    """A run, a search and a call, the call being the newest; names and values are long."""
    long = {"param_grid": {"C": [0.1 * i for i in range(200)]}, "x" * 300: 1}
    write("1-a1", START | {"params": long}, *map(epoch, range(1, 9)))
    candidate = {"estimator": "CirrusLogisticRegression", "params": long}
    params = [{"C": float(c), "a_parameter_with_a_long_name": "x" * 60} for c in range(12)]
    rows = [[c, 3, c / 10, c / 10, "training"] for c in range(12)]
    write(
        *("2-s", START | {"kind": "search", "candidate": candidate, "splits": 2}),
        *({"event": "candidates", "first": 0, "params": params}, epoch(1, fits=24)),
        {"event": "standing", "candidates": rows},
    )
    state = {"event": "state", "seconds": 1.0, "cost": 0.5, "running": 2, "queued": 3}
    state |= {"total": 60, "working": 1, "waiting": 1, "starting": 0, "bytes": 3 << 20}
    write(
        *("3-c", CALL | {"candidate": candidate}, {"event": "candidates", "params": params}),
        *(state | {"seconds": 2.0 * i, "done": i, "cost": 0.1 * i} for i in range(7)),
        {"event": "scores", "candidates": [[c, c / 12, 5, "accuracy"] for c in range(12)]},
    )


def test_a_call_has_its_tasks_its_scores_and_can_be_stopped(open_page, write, tmp_path):
    write_one_of_each(write)
    page = open_page()
    page.get_by_role("heading", name="Best 5 of 12 candidates").wait_for()
    shown = {name: value(page, name).inner_text() for name in ("Tasks done", "Tasks under way")}
    assert shown == {"Tasks done": "6", "Tasks under way": "2"}
    assert value(page, "Tasks per second").inner_text() == "0.5"
    assert value(page, "Shipped").inner_text() == "3 MiB"
    assert value(page, "Cost so far").inner_text() == "$0.600"
    assert value(page, "Cost in the end").inner_text() == "$6.000"
    page.get_by_text("about 1 min 48 s to go").wait_for()  # 54 tasks at half a task a second
    assert page.get_by_role("img", name="Tasks. done 0 to 6").count() == 1
    best, worst = page.locator("#board table").all()
    assert best.locator("tbody th").all_inner_texts() == ["11", "10", "9", "8", "7"]
    assert worst.locator("tbody th").all_inner_texts() == ["4", "3", "2", "1", "0"]
    assert page.get_by_label("Add candidates").count() == 0  # that is for our own searches
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("the call raises a TaskError").wait_for()
    with page.expect_response("**/commands") as answer:
        page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    assert answer.value.status == 202
    assert (tmp_path / "3-c.commands").read_text() == '{"command":"stop"}\n'


def test_a_screen_reader_finds_names_and_the_focus_goes_the_way_of_reading(open_page, write):
    write_one_of_each(write)
    page = open_page()
    page.locator("#runs button").nth(1).click()  # the search
    page.get_by_role("heading", name="Best 5 of 12 candidates").wait_for()
    reader = page.context.new_cdp_session(page)
    nodes = reader.send("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]
    named = ("button", "checkbox", "radio", "textbox", "searchbox", "img", "region", "navigation")
    assert [one for one in found if one[0] in named and not one[1]] == []
    for one in (
        *(("navigation", "Runs and searches"), ("heading", "CirrusLogisticRegression")),
        *(("button", "Stop"), ("button", "Drop candidate 11"), ("radio", "cost")),
        *(("region", "Worst 5"), ("textbox", "Add candidates, a grid in JSON")),
    ):
        assert one in found, one
    assert {"main", "banner", "status", "columnheader", "rowheader"} <= {role for role, _ in found}

    focused = "document.activeElement"
    names = f"{focused}.ariaLabel || {focused}.textContent.trim() || {focused}.id"
    page.evaluate("document.activeElement.blur()")
    page.locator(".skip").focus()
    passed = [page.evaluate(names)]
    while "Add" not in passed:
        page.keyboard.press("Tab")
        passed.append(page.evaluate(names))
        assert len(passed) < 60, passed
    wanted = ["Skip to the run", "filter", "parts", "Stop", "Best 5 of 12 candidates"]
    wanted += ["Drop candidate 0", "Worst 5", "Drop candidate 11", "Add"]
    places = [passed.index(name) for name in wanted]
    assert places == sorted(places), passed

    page.get_by_role("button", name="Drop candidate 11").focus()  # and keeps it while rows change
    write("2-s", {"event": "standing", "candidates": [[11, 7, 0.95, 0.95, "training"]]})
    page.get_by_role("cell", name="0.95", exact=True).first.wait_for()
    assert page.evaluate(names) == "Drop candidate 11"

    page.get_by_role("button", name="Stop", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    assert page.evaluate(f"{focused}.closest('dialog') !== null")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.evaluate(names) == "Stop"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(open_page, write, scheme):
    write_one_of_each(write)
    page = open_page(viewport={"width": 360, "height": 700}, color_scheme=scheme)
    for place in range(3):
        page.locator("#runs button").nth(place).click()
        page.locator("canvas").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert contrasts(page) == []
    page.locator("#runs input").first.check()
    page.get_by_role("region", name="Comparison").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
    assert contrasts(page) == []


def contrasts(page):
    """Texts whose contrast is below 4.5 to 1 (WCAG 2, level AA): their elements, as text."""
    return page.evaluate("""() => {
      const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
      const light = (text) => rgb(text).slice(0, 3).map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return rgb(colour)[3] === 0 ? ground(element.parentElement) : colour;
      };
      return [...document.querySelectorAll("body *")]
        .filter((one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
        .filter((one) => one.offsetParent !== null && !one.disabled)
        .filter((one) => {
          const [a, b] = [light(getComputedStyle(one).color), light(ground(one))];
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
        }).map((one) => one.outerHTML.slice(0, 100));
    }""")


def test_two_hundred_runs(open_page, write):
    for number in range(200):
        write(f"{number:03d}-r{number}", START | {"id": f"r{number}"}, *map(epoch, range(1, 10)))
    page = open_page()
    page.locator("#runs li").nth(199).wait_for()
    page.locator("#runs button").nth(150).click()
    page.locator("#head").get_by_text("r49").wait_for()
    assert value(page, "Train loss").inner_text() == "0.1111"
