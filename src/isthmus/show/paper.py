"""Figures for a paper: PDF of column width, in a serif face, without titles, and their captions in files."""

from __future__ import annotations

import re
from pathlib import Path

from isthmus._files import write_atomically
from isthmus.show.canvas import PAPER, drawing_for, rendered
from isthmus.show.mathematics import LATEX, PLAIN, plain_latex
from isthmus.show.pages import drawn_figures, result_page
from isthmus.show.report import Page, write_text
from isthmus.studies.result import StudyResult

TOKEN = re.compile(rf"{LATEX.pattern}|{PLAIN.pattern}|.", re.DOTALL)
SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%#_{}$"}, "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\^{}",
    "\u00a0": "~", "–": "--", "’": "'", "…": r"\dots{}", "−": "$-$", "×": r"$\times$", "→": r"$\to$", "∞": r"$\infty$",
    "≥": r"$\geq$", "≤": r"$\leq$", "ε": r"$\varepsilon$", "½": r"$\frac12$", "‖": r"$\|$", "₁": "$_1$", "₂": "$_2$",
}  # fmt: skip
"""Signs of plain words, and what LaTeX writes for them."""
HEAD = r"\providecommand{\isthmuscaption}[1]{\csname isthmus-#1\endcsname}" + "\n"


def write_paper(result: StudyResult, folder: Path) -> list[Path]:
    r"""Write every figure of a study as PDF to a folder, with captions in Markdown and LaTeX, and return the paths.

    After ``\input{captions.tex}``, ``\caption{\isthmuscaption{sup_gap}}`` is the caption of ``sup_gap.pdf``.
    """
    with drawing_for(PAPER):
        drawn = drawn_figures(result)
        contents = {f"{name}.pdf": rendered(figure, name, "pdf") for name, figure in drawn.items()}
    page = result_page(result, drawn)
    for name, content in contents.items():
        write_atomically(folder / name, lambda path, content=content: path.write_bytes(content))
    written = {"captions.md": _markdown(page), "captions.tex": _captions(page)}
    for name, text in written.items():
        write_text(text, folder / name)
    return [folder / name for name in (*contents, *written)]


def latex(text: str) -> str:
    """Return plain words, which may hold formulas between dollar signs, as LaTeX."""
    return TOKEN.sub(lambda found: _token(found[0]), text)


def _token(token: str) -> str:
    if len(token) == 1:
        return SIGNS.get(token, token)
    if token.startswith("$"):
        return token
    formula = "".join(SIGNS.get(sign, sign).strip("$") if sign not in "_^{}" else sign for sign in plain_latex(token))
    return f"${formula}$"


def _markdown(page: Page) -> str:
    return "\n\n".join(f"**{plate.name}.** {plate.alt}. {plate.caption}" for plate in page.plates) + "\n"


def _captions(page: Page) -> str:
    texts = {plate.name: latex(f"{plate.alt}. {plate.caption}") for plate in page.plates}
    return HEAD + "".join(
        f"\\expandafter\\def\\csname isthmus-{name}\\endcsname{{{text}}}\n" for name, text in texts.items()
    )
