"""The site, and what is checked of it.

``python docs [FOLDER]`` writes HTML to docs/_build/html, or to the folder; a warning or a dead link ends it.
``python docs --check [PAGE ...]`` builds nothing. It looks for links that lead nowhere, for arguments that functions
don't have, and for code of pages that fails or prints something else than stands below it: all pages, or those named.
``python docs --picture REPORT`` draws the picture of the README from the report.html of a study.

It needs ``pip install -e '.[docs]'`` and no network; ``--check`` takes some minutes, ``--picture`` needs a Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

from building import checks

DOCS = Path(__file__).resolve().parent


def build(folder: Path) -> int:
    """Build, look for dead links and for what pages would load from elsewhere, and return the exit code."""
    from sphinx.cmd.build import build_main

    from building.outside import loads_from_outside

    # All pages anew: a page that is kept from an earlier build would keep its warnings to itself.
    options = ["-b", "html", "-E", "-a", "-W", "--keep-going", "-q", "-d", str(DOCS / "_build" / "doctrees")]
    code = build_main([*options, str(DOCS), str(folder)])
    if code:
        return code
    return said(
        [*loads_from_outside(folder), *checks.dead_links_of_site(folder)], f"The site is in {folder}: open index.html."
    )


def check(names: list[str]) -> int:
    """Check pages, and return the exit code."""
    known = checks.pages()
    strange = [name for name in names if name not in known]
    if strange:
        return said([f"there is no page {name!r}; pages are {', '.join(known)}" for name in strange], "")
    if names:
        return said(
            [one for name in names for one in checks.failures(known[name])],
            "Their code runs, and prints what they say.",
        )
    return said(checks.complaints(), "All links lead somewhere, and all code runs and prints what stands below it.")


def said(complaints: list[str], praise: str) -> int:
    """Print complaints, or else praise, and return the exit code."""
    print(*complaints, sep="\n", file=sys.stderr) if complaints else print(praise)
    return 1 if complaints else 0


def main(arguments: list[str]) -> int:
    """Do what the command line asks for."""
    match arguments:
        case ["--check", *names]:
            return check(names)
        case ["--picture", report]:
            from building.picture import draw

            draw(Path(report), DOCS / "static" / "report.png")
            return 0
        case [] | [_]:
            return build(Path(*arguments).resolve() if arguments else DOCS / "_build" / "html")
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
