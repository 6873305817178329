"""Build the site: ``python docs [FOLDER]`` writes HTML to docs/_build/html, or to the folder; any warning ends it.

It needs ``pip install -e '.[docs]'`` and no network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from building.outside import loads_from_outside

DOCS = Path(__file__).resolve().parent


def main(folder: Path) -> int:
    """Build, look for what pages would load from elsewhere, and return the exit code."""
    # All pages anew: a page that is kept from an earlier build would keep its warnings to itself.
    options = ["-b", "html", "-E", "-a", "-W", "--keep-going", "-q", "-d", str(DOCS / "_build" / "doctrees")]
    code = build_main([*options, str(DOCS), str(folder)])
    if code:
        return code
    loads = loads_from_outside(folder)
    print(*loads, sep="\n", file=sys.stderr) if loads else print(f"The site is in {folder}: open index.html.")
    return 1 if loads else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "_build" / "html"))
