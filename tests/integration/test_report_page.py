"""A report in a browser: what it shows, in light and dark, on a phone, on paper, to everybody."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from aotwin.reporting import write_report
from report_sample import STAGES, write_sample

SCHEMES = ("light", "dark")
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'


def axe_core() -> str:
    """The text of axe.min.js, as ci/setup.sh installs it."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("AOTWIN_CI_CACHE") or Path(home, "aotwin-ci"))
    found = sorted(cache.glob("axe-core-*/node_modules/axe-core/axe.min.js"))
    assert found, "run ./ci/test: it installs axe-core"
    return found[-1].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    assert program and driver, "run ./ci/test: it installs a browser"
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(write_sample(folder), folder / "report.html", stages=STAGES, total=13.0)
    return folder / "report.html"


def show(browser: webdriver.Chrome, page: Path, scheme: str = "light", width: int = 1200) -> None:
    """Open a page, and fail where the browser has anything to say about it."""
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def ask(browser: webdriver.Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_with_all_of_the_page_unfolded(
    browser: webdriver.Chrome, page: Path, scheme: str
) -> None:
    show(browser, page, scheme)
    ask(browser, "document.querySelectorAll('details').forEach(each => each.open = true)")
    browser.execute_script(axe_core())  # type: ignore[no-untyped-call]
    result = browser.execute_async_script(  # type: ignore[no-untyped-call]
        "const done = arguments[0]; axe.run().then(done, e => done({error: String(e)}))"
    )
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in result["violations"]] == []
    assert {rule["id"] for rule in result["passes"]} >= {"color-contrast", "document-title"}


def test_what_matters_is_seen_at_once(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page)
    tiles = ask(browser, "[...document.querySelectorAll('.tiles .value')].map(e => e.innerText)")
    assert len(tiles) == 4
    assert tiles[1] == "Proven"
    bottom = ask(browser, "document.querySelector('.tiles').getBoundingClientRect().bottom")
    assert bottom < 900
    assert ask(browser, "document.querySelectorAll('.treemap rect').length") >= 5
    assert ask(browser, "document.querySelectorAll('.histogram rect').length") == 3
    code = ask(browser, "document.querySelector('pre').innerText")
    assert code.startswith("import numpy as np\n")


def test_dark_is_dark_and_light_is_light(browser: webdriver.Chrome, page: Path) -> None:
    lightness = {}
    for scheme in SCHEMES:
        show(browser, page, scheme)
        color = ask(browser, "getComputedStyle(document.body).backgroundColor")
        lightness[scheme] = sum(map(int, color.removeprefix("rgb(").rstrip(")").split(",")))
    assert lightness["dark"] < 150 < 600 < lightness["light"]


@pytest.mark.parametrize("width", [320, 768])
def test_a_narrow_window_is_not_left(browser: webdriver.Chrome, page: Path, width: int) -> None:
    show(browser, page, width=width)
    assert ask(browser, "document.documentElement.scrollWidth") <= width


def test_a_code_is_selected_by_one_click(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page)
    browser.find_element("css selector", "pre").click()
    assert "result = model(" in ask(browser, "getSelection().toString()")


def test_it_prints(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page)
    paper = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    assert base64.b64decode(paper["data"]).startswith(b"%PDF-")
    media = {"media": "print", "features": []}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    folded = "[...document.querySelectorAll('details pre')].filter(e => !e.offsetHeight).length"
    assert ask(browser, folded) == 0
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_hostile_names_do_nothing(browser: webdriver.Chrome, tmp_path: Path) -> None:
    changes = {
        "name": HOSTILE,
        "generator": HOSTILE,
        "inputs": [{"kind": "tensor", "name": HOSTILE, "dtype": "float32", "shape": [HOSTILE]}],
        "constants": [
            {"name": HOSTILE, "fqn": HOSTILE, "mutable": False, "offset": 0, "nbytes": 9,
             "shape": [9], "dtype": HOSTILE}
        ],
    }  # fmt: skip
    write_report(write_sample(tmp_path, changes), tmp_path / "report.html")
    show(browser, tmp_path / "report.html")
    assert ask(browser, "document.title").endswith(": aotwin report")
    assert ask(browser, "document.querySelectorAll('script, img').length") == 0
    assert ask(browser, "document.body.innerText.includes('onerror')")
