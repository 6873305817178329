"""What tests of pages in a browser ask of a page."""

import numpy as np

FIGURES = ("risk", "difference", "latents", "pictures", "encoder", "decoder")
"""The moving figures, by name."""
SETTLED = 500
"""Milliseconds after which nothing moves any more."""
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


def drawings(page, animation: str = "animation") -> dict[str, str]:
    """Return what is drawn in each figure of an animation."""
    inside = "figure => figure.querySelector('.drawing').innerHTML"
    return {name: page.eval_on_selector(f"#{animation} [data-figure={name}]", inside) for name in FIGURES}


def press(page, *keys: str) -> None:
    page.focus("input[type=range]")
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(SETTLED)


def attributes(page, selector: str, *names: str) -> np.ndarray:
    script = "(all, names) => all.map(one => names.map(name => Number(one.getAttribute(name))))"
    return np.array(page.eval_on_selector_all(selector, script, names))


def luminance(color: str) -> float:
    """Return the relative luminance of a CSS colour (WCAG 2)."""
    parts = np.array([float(part) for part in color[color.index("(") + 1 : -1].split(",")][:3]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
