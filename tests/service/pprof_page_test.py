#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The flame graph and the index of /debug/pprof/ in a real browser.

pprof_page_test.py PROFILE_ME CASE; ends with 77 without chromium.
"""

import os
import re
import sys

from browser import Browser
from profiled import P, Profiled

PROGRAM, CASE = sys.argv[1:3]
FRAMES = "document.querySelectorAll('.frame')"
NAMES = f"[...{FRAMES}].map((f) => f.getAttribute('aria-label'))"


def count(browser, selector):
    return browser.value(f"document.querySelectorAll('{selector}').length")


def labelled(text):
    """The frame whose label begins so."""
    return f"[...{FRAMES}].find((f) => f.getAttribute('aria-label').startsWith('{text}'))"


def the_flame_graph_works_in_a_browser():
    with Profiled(PROGRAM, "cpu") as shop, Browser() as browser:
        page = shop.url(P + "profile?seconds=2&format=flamegraph")
        browser.open(page)
        assert browser.value("document.title") == "profile of profile_me"
        assert any(n.startswith("sort_all_prices") for n in browser.value(NAMES)), browser.value(NAMES)
        widest = "document.querySelector('.frame').offsetWidth === document.querySelector('#chart').clientWidth"
        assert browser.value(widest)
        everything = count(browser, ".frame")
        assert everything > 10, everything
        search(browser)
        zoom_by_keyboard(browser, everything)
        zoom_by_mouse(browser, everything)
        turn_over(browser)
        assert not browser.complaints(), browser.complaints()
        assert browser.fetched() == [page], browser.fetched()


def search(browser):
    """By keyboard only."""
    browser.press("/")
    assert browser.value("document.activeElement.id") == "search"
    for letter in "sort_all":
        browser.press(letter)
    assert count(browser, ".frame.match") > 0
    share = browser.value("document.querySelector('#matched').textContent")
    assert re.fullmatch(r"[0-9.]+ % matched", share) and float(share.split()[0]) > 20, share
    assert browser.value("location.hash") == "#search=sort_all"
    browser.press("Escape")
    assert count(browser, ".frame.match") == 0
    for letter in "^(":  # not a regular expression yet: taken as it stands
        browser.press(letter)
    assert count(browser, ".frame.match") == 0
    browser.press("Escape")


def zoom_by_keyboard(browser, everything):
    """Down two frames, in, out again."""
    browser.value("document.querySelector('.frame').focus()")
    browser.press("ArrowDown")
    browser.press("ArrowDown")
    browser.press("Enter", "\r")
    assert count(browser, ".frame.above") == 2
    assert not browser.value("document.querySelector('#reset').disabled")
    assert browser.value("location.hash").startswith("#zoom=")
    browser.press("Escape")
    browser.press("Escape")
    assert count(browser, ".frame.above") == 0
    assert count(browser, ".frame") == everything


def zoom_by_mouse(browser, everything):
    frame = labelled("sort_all_prices")
    before = browser.value(f"({frame}).offsetWidth")
    browser.click(frame)
    after = browser.value(f"({frame}).offsetWidth")
    assert after == browser.value("document.querySelector('#chart').clientWidth") and after > before, (before, after)
    assert "sort_all_prices" in browser.value("document.querySelector('#detail').textContent")
    browser.click("document.querySelector('#reset')")
    assert browser.value("document.querySelector('#reset').disabled")
    assert count(browser, ".frame") == everything


def turn_over(browser):
    """Inverted, the innermost functions stand first."""
    browser.value("document.activeElement.blur()")
    browser.press("i")
    assert browser.value("document.querySelector('#invert').getAttribute('aria-pressed')") == "true"
    assert browser.value(NAMES)[0].startswith("all") and browser.value("location.hash") == "#invert=1"
    second_row = f"[...{FRAMES}].filter((f) => f.getAttribute('aria-level') === '2').map((f) => f.getAttribute('aria-label'))"
    innermost = browser.value(second_row)
    assert not any(n.startswith("buy(") for n in innermost), innermost
    browser.click("document.querySelector('#invert')")
    assert browser.value("document.querySelector('#invert').getAttribute('aria-pressed')") == "false"


def a_kept_page_needs_no_server():
    """Another value, and the view in the address: from a file."""
    with Profiled(PROGRAM, "cpu") as shop, Browser() as browser:
        body = shop.get(P + "profile?seconds=1&format=flamegraph&type=samples").body
        kept = "file://" + shop.keep("page.html", body)
        shop.process.kill()
        browser.open(f"{kept}#search=sort_all&invert=1&type=cpu")
        assert browser.value("document.querySelector('#type').selectedOptions[0].textContent") == "cpu (nanoseconds)"
        assert browser.value("document.querySelector('#invert').getAttribute('aria-pressed')") == "true"
        assert count(browser, ".frame.match") > 0
        assert not browser.complaints(), browser.complaints()
        assert [url.split("#")[0] for url in browser.fetched()] == [kept], browser.fetched()


def every_profile_has_a_page():
    """With what a delta has lost, too; names that would be markup do no harm (std::vector<...>, operator<)."""
    with Profiled(PROGRAM, "heap") as shop, Browser() as browser:
        shop.fill("heap", "keep_receipt")
        shop.switch("lock")
        for name in ("block", "mutex"):
            shop.fill(name, "count_money")
        for name in ("goroutine", "heap", "allocs", "block", "mutex", "threadcreate", "goroutineleak",
                     "goroutine?seconds=1"):
            page = shop.url(P + name + ("&" if "?" in name else "?") + "format=flamegraph")
            browser.open(page)
            nothing = not browser.value("document.querySelector('#empty').hidden")
            assert nothing or count(browser, ".frame") > 1, name
            assert not nothing or name in ("goroutineleak", "threadcreate"), name
            assert not browser.complaints(), (name, browser.complaints())
            assert browser.fetched() == [page], (name, browser.fetched())


def the_index_leads_to_everything():
    with Profiled(PROGRAM, "none") as shop, Browser() as browser:
        browser.open(shop.url(P))
        links = browser.value("[...document.links].map((l) => l.href)")
        assert len(links) >= 10, links
        for link in links:
            path = link.split(shop.address, 1)[1].replace("seconds=5", "seconds=1")
            if os.path.basename(path) in ("profile", "wall"):
                path += "?seconds=1"
            got = shop.get(path)
            assert got.status == (501 if path.endswith("/trace") else 200), (path, got.status)
        assert not browser.complaints(), browser.complaints()
        assert browser.fetched()[:1] == [shop.url(P)], browser.fetched()


globals()[CASE]()
