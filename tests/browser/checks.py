"""Checks that must hold on every page, measured in the browser: each returns what is wrong, as sentences."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError

# Reported to the console, where `Watch` hears it: the event comes before anything is logged by the browser.
REPORT_CSP = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI} in ${event.sourceFile || "the page"}`));
"""

# A block that wraps has one box but several lines, so the lines of the text are counted. Words for screen readers are
# boxes of one pixel elsewhere.
WRAPPED_MONEY = """() => [...document.querySelectorAll(".money")].filter((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 1).sort((a, b) => a.top - b.top);
    return boxes.some((box, index) => index > 0 && box.top >= boxes[index - 1].bottom - 1);
}).map((element) => element.textContent.trim())"""

# The element that sticks out to the right is named, or the figure would only say that something does. `scrollWidth` is
# not enough by itself: a box that hides its overflow cuts an amount off without making the page wider.
OVERFLOW = """() => {
    const root = document.documentElement;
    const faults = root.scrollWidth <= root.clientWidth ? [] : [`${root.scrollWidth} px of content: ` +
        [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > root.clientWidth)
            .slice(0, 4).map((one) => `${one.tagName.toLowerCase()}.${one.getAttribute("class")}`).join(", ")];
    const cut = [...document.querySelectorAll(".money")].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width > 0 && (box.right > root.clientWidth || box.left < 0);
    });
    return [...faults, ...cut.map((one) => `the amount ${one.textContent.trim()} is cut off`)];
}"""

# What a screen reader says of a form and of a group of choices before it reads the fields; axe asks for neither. A form
# with nothing in it to fill in or press (Django's own, around lists and rows that nobody can change) is not noticed.
UNNAMED = """() => {
    const faults = [];
    const named = (one) => one.ariaLabel?.trim() || (one.getAttribute("aria-labelledby") ?? "").split(/\\s+/)
        .some((id) => document.getElementById(id)?.textContent.trim());
    for (const form of document.forms) {
        const fields = [...form.elements].filter((one) => one.type !== "hidden" && one.tagName !== "FIELDSET");
        if (fields.length && !named(form)) faults.push(`no name: ${form.outerHTML.slice(0, 200)}`);
        for (const field of fields.filter((one) => one.matches("[type=radio], [type=checkbox]"))) {
            const beside = fields.filter((one) => one.name === field.name && one.type === field.type);
            const group = field.closest("fieldset");
            const legend = group?.querySelector(":scope > legend")?.textContent.trim();
            const isAlone = field.type === "checkbox" && beside.length === 1;
            if (!isAlone && !(legend && beside.every((one) => group.contains(one))))
                faults.push(`no fieldset with a legend: ${field.outerHTML}`);
        }
    }
    return faults;
}"""

BACKGROUND = """() => {
    const colour = (element) => getComputedStyle(element).backgroundColor;
    const body = colour(document.body);
    return body === "rgba(0, 0, 0, 0)" ? colour(document.documentElement) : body;
}"""

# Before any script of the page: the saved choice, against the system's own. Frames and pages without storage have none.
SAVE_OTHER_SCHEME = """
try {
    if ((localStorage.theme || "auto") === "auto") {
        localStorage.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark";
    }
    window.loadedWith = localStorage.theme;
} catch {}
"""
# The system's scheme, and the saved one if the document was loaded since the last question. Pages follow the system
# from its next change on; the staff's say so in an attribute.
FORGET_SAVED_SCHEME = """() => {
    const saved = window.loadedWith;
    window.loadedWith = null;
    localStorage.removeItem("theme");
    const root = document.documentElement;
    if (root.dataset.theme) root.dataset.theme = "auto";
    return [matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light", saved];
}"""

# Scripts are told about a new scheme or width a frame later, and colours take their time to fade; in a closed menu they
# stand still until it is opened.
SETTLED = """async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const fading = () => document.getAnimations().some((animation) => animation.effect.target?.checkVisibility());
    await frame();
    await frame();
    for (const end = Date.now() + 2000; fading() && Date.now() < end;) await frame();
}"""

# Installed by `make browser`, from tests/browser/package-lock.json (ADR 32).
AXE = Path(sys.prefix) / "axe/node_modules/axe-core/axe.min.js"
# Preloading would add style sheets of axe's own, which the CSP rightly refuses. Only the faults are needed: the rest of
# the answer is long.
RUN_AXE = """async ([type, values]) => (await axe.run({
    resultTypes: ["violations"], preload: false, runOnly: {type, values},
})).violations"""
# WCAG 2.2 up to level AA, which axe does not check unless it is named, and axe's own recommendations.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# All others read the document, which is the same in both schemes.
RULES_OF_COLOUR = ["color-contrast", "link-in-text-block"]
# On a phone, elements are below each other that are side by side elsewhere.
RULES_OF_SIZE = ["target-size"]


@cache
def axe_script() -> str:
    """Return the source of axe-core."""
    assert AXE.exists(), "axe-core is not installed: make browser"
    return AXE.read_text(encoding="utf-8")


def axe(page: Page, *, rules: Sequence[str] = ()) -> list[str]:
    """Return axe's objections by WCAG 2.2 up to level AA and its own best practices; or only those by these rules."""
    page.evaluate(SETTLED)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe_script())
    faults: list[dict[str, Any]] = page.evaluate(RUN_AXE, ["rule", rules] if rules else ["tag", TAGS])
    return [
        f"axe {fault['id']}: {node['html']} ({' '.join(check['message'] for check in node['any'] + node['all'])})"
        for fault in faults
        for node in fault["nodes"]
    ]


def names(page: Page) -> list[str]:
    """Return forms without an accessible name, and choices that no fieldset with a legend groups."""
    faults: list[str] = page.evaluate(UNNAMED)
    return faults


def layout(page: Page) -> list[str]:
    """Return content wider than the window, amounts cut off, and amounts over several lines."""
    page.evaluate(SETTLED)
    wrapped = [f"the amount {text!r} is wrapped" for text in page.evaluate(WRAPPED_MONEY)]
    return wrapped + page.evaluate(OVERFLOW)


class Watch:
    """Listens to a whole browser context: console errors, CSP violations, exceptions, requests to other hosts."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._host = urlsplit(origin).netloc
        self._heard: list[tuple[str, str]] = []
        self._error_pages: set[str] = set()
        context.add_init_script(REPORT_CSP)
        context.on("console", self._console)
        context.on("weberror", self._exception)
        context.on("request", self._request)
        context.on("response", self._response)

    def faults(self) -> list[str]:
        """Return everything that was heard, except that a page itself was answered with an error code."""
        return [
            text
            for text, source in self._heard
            if not (source in self._error_pages and "Failed to load resource" in text)
        ]

    def _hear(self, page: Page | None, text: str, source: str = "") -> None:
        self._heard.append((f"{page.url if page else 'a page'}: {text} {source}", source))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._hear(message.page, message.text, message.location.get("url", ""))

    def _exception(self, error: WebError) -> None:
        self._hear(error.page, f"exception: {error.error}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob", "about"} and parts.netloc != self._host:
            self._hear(request.frame.page, f"request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.is_navigation_request():
            self._error_pages.add(response.url)
