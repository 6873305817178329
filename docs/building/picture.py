"""The picture of the README: the first screen of a report, in a browser."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

SIZE = {"width": 1080, "height": 656}
COLOURS = 64
"""Few, so that the file is small; a report has hardly more."""


def draw(report: Path, target: Path) -> None:
    """Write the first screen of a report as PNG."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(500)
        taken = page.screenshot()
        browser.close()
    image = Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(target, optimize=True)
