"""Both reports in Debian's Chromium: no error, no request, nothing wider than the screen."""

import http.server
import json
import os
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from tests.report.sample_documents import demo_document, document

from headway.report.demo_page import write_demo_report
from headway.report.page import write_report

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-default-apps", "--no-default-browser-check",
]  # fmt: skip
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
CONTRAST = 4.5  # WCAG 2.2, level AA, for text of ordinary size


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The reports by name: whole, empty, with hostile records, and of the demo."""
    hostile = '"><img src=http://127.0.0.1:9/x><script>alert(1)</script>' + "w" * 300
    bad = document()
    bad["history"]["files"] = [hostile] * 3
    bad["records"]["reasons"] = {hostile: 1}
    bad["records"]["examples"] = {hostile: [hostile] * 3}
    bad["recommendations"][0]["what"] = hostile
    parts = {"whole": document(), "empty": {}, "hostile": bad}
    made = {name: tmp_path_factory.mktemp(name) for name in (*parts, "demo")}
    for name, found in parts.items():
        write_report(found, made[name])
    write_demo_report(demo_document(), made["demo"])
    return made


@pytest.fixture
def opened(browser, folders):
    """Open a report in a context of its own; what it logs and asks for is kept."""
    contexts = []

    def open_page(name, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page, told, asked = context.new_page(), [], []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folders[name] / "index.html").as_uri())
        page.wait_for_load_state("networkidle")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        return page, told, asked

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["whole", "empty", "hostile", "demo"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_report_opens_quietly_and_fits_the_screen(opened, name, width, scheme):
    page, told, asked = opened(name, width, scheme)
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    wide = page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]")
    assert max(wide) <= width
    keep = os.environ.get("HEADWAY_SCREENSHOTS")
    if keep:
        page.screenshot(path=str(Path(keep) / f"{name}-{width}-{scheme}.png"), full_page=True)


@pytest.mark.parametrize("name", ["whole", "demo"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_stand_out_from_what_is_behind_them(opened, name, scheme):
    page, _, _ = opened(name, 1280, scheme)
    faint = page.evaluate(
        """least => {
          const straight = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
          const light = c => c.map(v => straight(v / 255))
            .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
          const rgb = c => (c.match(/[\\d.]+/g) || []).map(Number);
          const behind = e => { for (; e; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor);
            if (c.length && (c.length < 4 || c[3] > 0)) return c.slice(0, 3); }
            return [255, 255, 255]; };
          const faint = [];
          for (const e of document.querySelectorAll('main *')) {
            if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
            const [a, b] = [light(rgb(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
            const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            if (ratio < least) faint.push([e.textContent.slice(0, 40), ratio]);
          }
          return faint;
        }""",
        CONTRAST,
    )
    assert faint == []


def test_a_dot_says_its_value_when_pointed_at(opened):
    page, _, _ = opened("whole")
    dot = page.locator("#schedules .dot.headway").first
    dot.hover()
    shown = dot.evaluate("e => getComputedStyle(e, '::after').content")
    assert "Headway, predicted runtimes: 34.4" in shown


def test_names_on_an_axis_do_not_lie_upon_each_other(opened):
    for width in WIDTHS:
        page, _, _ = opened("whole", width)
        boxes = page.evaluate(
            """() => [...document.querySelectorAll('.plane, .scale')].map(plot =>
              [...plot.querySelectorAll(':scope > .x b, :scope > span:not(.tick)')].map(e => {
                const box = e.getBoundingClientRect(); return [box.left, box.right]; }))"""
        )
        for names in boxes:
            for (_, right), (left, _) in pairwise(names):
                assert right <= left


def test_the_printed_page_has_its_tables(opened, tmp_path):
    page, _, _ = opened("whole")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
    page.emulate_media(media="print")
    printed = page.locator("#schedules table")
    assert printed.evaluate("e => e.getBoundingClientRect().height") > 100
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4", print_background=True)
    assert (tmp_path / "report.pdf").stat().st_size > 10_000


def test_a_served_report_gives_its_summary_and_asks_for_nothing_else(browser, folders):
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *parts):
            super().__init__(*parts, directory=str(folders["whole"]))

        def log_message(self, *parts):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        page.wait_for_load_state("networkidle")
        page.close()
        server.shutdown()
    assert asked == ["/index.html"]
    assert json.loads((folders["whole"] / "summary.json").read_text())["gain"]["chosen"] == 34.4
