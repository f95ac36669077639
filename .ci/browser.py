#!/usr/bin/env python3
"""Open reports in a real browser, headless, and refuse what a reader would stumble on.

    python .ci/browser.py REPORT.html... [--shots FOLDER]

Every report is opened at 390 and 1440 px, light and dark, and printed. Refused: a request to anything but the file
itself, a message of the browser (an error, a blocked resource), a page wider than the window, a picture or player
that did not load, text of less than 4.5:1 contrast, a word of a table or list that is broken over two lines. Needs
Debian's chromium (or chrome) and nothing else: the browser is spoken to over a pipe. Where there is none, this says so
and passes.
"""

import argparse
import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")
MEASURE = """(async () => {
  const found = [];
  // Not innerWidth: where a page is too wide, a phone zooms out and calls that its width.
  const width = document.documentElement.scrollWidth, room = document.documentElement.clientWidth;
  if (width > room) {
    const wide = [...document.querySelectorAll('body *')].filter(
      e => e.getBoundingClientRect().right > room + 1 && !e.closest('.scroll, pre'));
    found.push(`the page is ${width} px wide in a window of ${room}: ` +
      wide.slice(0, 3).map(e => e.tagName + ' ' + e.textContent.slice(0, 30)).join('; '));
  }
  for (const image of document.querySelectorAll('image, img'))
    if (!(image.href ? image.href.baseVal : image.src).startsWith('data:')) found.push('a picture from elsewhere');
  await Promise.all([...document.querySelectorAll('audio')].map(player => new Promise(done => {
    player.onloadedmetadata = () => { if (!(player.duration > 0)) found.push('a player without sound'); done(); };
    player.onerror = () => { found.push('a recording that cannot be played'); done(); };
    player.preload = 'metadata';
    player.load();
  })));
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [.2126, .7152, .0722][n], 0);
  const seen = new Set();
  for (const element of document.querySelectorAll('body *:not(svg *)')) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    let ground = element;
    while (ground && (numbers(getComputedStyle(ground).backgroundColor)[3] === 0)) ground = ground.parentElement;
    const behind = ground ? getComputedStyle(ground).backgroundColor : 'rgb(255,255,255)';
    const colours = [getComputedStyle(element).color, behind];
    const [low, high] = colours.map(numbers).map(light).sort((a, b) => a - b);
    const contrast = (high + .05) / (low + .05);
    if (contrast < 4.5) seen.add(`contrast of ${contrast.toFixed(1)}: ${colours.join(' on ')}`);
  }
  found.push(...seen);
  const broken = new Set(), range = document.createRange();
  for (const cell of document.querySelectorAll('th, td, dt, dd, .headline *')) {
    for (const node of cell.childNodes) {
      if (node.nodeType !== 3) continue;
      for (const word of node.textContent.matchAll(/[^\\s\\/-]{2,20}/g)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) broken.add(word[0]);
      }
    }
  }
  if (broken.size) found.push(`broken words: ${[...broken].slice(0, 5).join(', ')}`);
  const levels = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]));
  levels.forEach((level, n) => {
    if (level > (n ? levels[n - 1] : 0) + 1) found.push(`a heading h${level} skips a level`);
  });
  if (document.querySelector('svg:not([aria-label]), table:not(:has(caption)), th:not([scope])'))
    found.push('a figure without a description, a table without a caption or a header without a scope');
  return found;
})()"""


class Browser:
    """A headless browser, spoken to in its DevTools protocol over a pipe."""

    def __init__(self, program: str, profile: str) -> None:
        to_read, write = os.pipe()
        read, to_write = os.pipe()

        def hand_over() -> None:  # the browser reads from 3 and writes to 4
            high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
        quiet = ("--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}")
        self.process = subprocess.Popen(
            [program, *flags, *quiet], preexec_fn=hand_over, close_fds=False, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self._out, self._in = os.fdopen(write, "wb", buffering=0), os.fdopen(read, "rb", buffering=0)
        self._waiting, self._number, self.events = b"", 0, []

    def ask(self, method: str, session: str | None = None, **parameters: object) -> dict:
        """Send a command and wait for its answer; what the browser says meanwhile is in ``events``."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method: str) -> None:
        """Go on when the browser has said this."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict:
        while b"\0" not in self._waiting:
            more = self._in.read(1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._waiting += more
        message, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(message)


def look(browser: Browser, report: Path, width: int, scheme: str, shots: Path | None) -> list[str]:
    """Open a report once and say what is wrong with it."""
    browser.events.clear()
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    page = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.ask(f"{domain}.enable", page)
    height = 844 if width < 600 else 800
    browser.ask(
        "Emulation.setDeviceMetricsOverride", page, width=width, height=height, deviceScaleFactor=1, mobile=width < 600
    )
    scheme_feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.ask("Emulation.setEmulatedMedia", page, features=[scheme_feature])
    browser.events.clear()
    browser.ask("Page.navigate", page, url=report.absolute().as_uri())
    browser.wait_for("Page.loadEventFired")
    answer = browser.ask("Runtime.evaluate", page, expression=MEASURE, awaitPromise=True, returnByValue=True)
    if "exceptionDetails" in answer:
        raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
    found = list(answer["result"]["value"])
    for event in browser.events:
        said = event.get("params", {})
        if event["method"] == "Network.requestWillBeSent":
            url = said["request"]["url"]
            if not url.startswith("data:") and url.split("#")[0] != report.absolute().as_uri():
                found.append(f"a request for {url[:80]}")
        elif event["method"] == "Log.entryAdded":
            found.append(f"the browser says: {said['entry']['text'][:200]}")
    if shots is not None:
        size = browser.ask("Page.getLayoutMetrics", page)["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": width, "height": size["height"], "scale": 1}
        shot = browser.ask("Page.captureScreenshot", page, clip=clip, captureBeyondViewport=True)
        name = f"{report.parent.name}-{width}-{scheme}"
        (shots / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
        if width == max(WIDTHS) and scheme == "light":
            paper = browser.ask("Page.printToPDF", page, preferCSSPageSize=True)
            (shots / f"{report.parent.name}.pdf").write_bytes(base64.b64decode(paper["data"]))
    browser.ask("Target.closeTarget", targetId=target)
    return found


def main() -> int:
    """Check the reports that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--shots", type=Path, help="folder for screenshots and a PDF")
    asked = parser.parse_args()
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        print("browser check SKIPPED: no chromium or chrome here (apt-get install chromium)")
        return 0
    if asked.shots:
        asked.shots.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            for report in asked.reports:
                for width in WIDTHS:
                    for scheme in SCHEMES:
                        problems = look(browser, report, width, scheme, asked.shots)
                        wrong += len(problems)
                        print(f"{report} at {width} px, {scheme}: " + ("; ".join(problems) or "well"))
        finally:
            browser.process.terminate()
            browser.process.wait(timeout=30)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
