"""What the pages say is so: names, commands, tests and links are there; and the build fails on what isn't."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus as im
from building import checks, docstrings, facts, mathematics, notebooks, outside, reference

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
TAUGHT = {
    "cell_type": "code",
    "id": "a",
    "metadata": {},
    "execution_count": None,
    "outputs": [],
    "source": "print(6 * 7)",
}
EVERYWHERE = PAGES | {name: (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in ("README", "CONTRIBUTING")}


def test_groups_cover_the_shelf_and_everything_on_it_has_a_docstring():
    assert facts.complaints() == []


@pytest.mark.parametrize(
    ("file", "name"), [("core/data.py", "Stream.draw"), ("dynamics/sgd.py", "train"), ("_version.py", "__version__")]
)
def test_a_docstring_that_is_taken_away_is_missed(file, name, tmp_path, monkeypatch):
    place = facts.public_place(name.split(".")[0])
    node = facts.place(f"{place.module}.{name}")
    shutil.copytree(facts.PACKAGE, tmp_path / "isthmus", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "isthmus" / file
    text = path.read_text(encoding="utf-8")
    first = node.docstring.splitlines()[0]
    path.write_text(re.sub(r'r?"""' + re.escape(first) + r'.*?"""', "pass", text, flags=re.DOTALL), encoding="utf-8")
    monkeypatch.setattr(facts, "PACKAGE", tmp_path / "isthmus")
    assert facts.complaints() == [f"{name} stands on the shelf without a docstring"]


def test_a_name_that_is_left_out_or_invented_is_found(monkeypatch):
    monkeypatch.setattr(im, "__all__", [*(name for name in im.__all__ if name != "train"), "Status"])
    found = facts.complaints()
    assert "docs/api.md names train, which isn't there" in found
    monkeypatch.setattr(facts, "fences", lambda page, directive: [])
    assert {"docs/api.md lacks Data", "docs/gallery.md lacks digits"} <= set(facts.complaints())


def test_every_name_beside_an_equation_is_defined():
    names = [name for text in PAGES.values() for name in re.findall(r"\{at\}`([^`]+)`", text)]
    assert len(names) > 50
    assert all(facts.place(name).line >= 1 for name in names)
    node = facts.place("core.autoencoder.Autoencoder.risk")
    line = node.path.read_text(encoding="utf-8").splitlines()[node.line - 1]
    assert line.strip().startswith("def risk(") and node.docstring.startswith("Return R = ½ E")


@pytest.mark.parametrize("name", ["core.autoencoder.Autoencoder.rsk", "core.autoencodr", "cre.neurons.NeuronMeasure"])
def test_a_name_that_is_not_defined_is_refused(name):
    with pytest.raises(LookupError, match="name 'c"):
        facts.place(name)


def commands(program: str) -> list[list[str]]:
    """Return the commands of a program that stand in backticks or on lines of their own, split into words."""
    found = []
    for text in EVERYWHERE.values():
        for piece in [*re.findall(r"`([^`]+)`", checks.FENCED.sub("", text)), *text.splitlines()]:
            words = piece.strip().removeprefix(".venv/bin/").partition("   #")[0]
            if words == program or words.startswith(f"{program} "):
                found.append(shlex.split(words.partition(" # ")[0].replace(" …", "")))
    return found


def selected(expression: str, path: Path) -> list[str]:
    """Return the tests of a file that a -k expression selects."""
    tests = re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    words = re.sub(r"\b(?!and\b|or\b|not\b)(\w+)", r"('\1' in full)", expression)
    return [name for name in tests if eval(words, {"full": f"{path.name} {name}"})]


def test_every_test_that_a_page_names_is_there():
    seen = 0
    for words in commands("pytest"):
        targets = [ROOT / word for word in words[1:] if word.startswith("tests")]
        assert all(target.exists() for target in targets), words
        files = [file for target in targets for file in (target.rglob("test_*.py") if target.is_dir() else [target])]
        if "-k" in words:
            files = files or list((ROOT / "tests").rglob("test_*.py"))
            expression = words[words.index("-k") + 1]
            picked = [name for file in files for name in selected(expression, file)]
            assert picked, words
            if "slow" in words:  # -m slow
                assert any("pytest.mark.slow" in file.read_text(encoding="utf-8") for file in files)
        seen += len(targets)
    assert seen > 30
    assert selected("covers and not population", ROOT / "tests/dynamics/test_mean_field.py") == [
        "test_the_error_estimate_covers_the_error_and_is_not_much_too_large",
        "test_the_error_estimate_of_time_steps_covers_their_error",
    ]
    assert selected("nowhere", ROOT / "tests/dynamics/test_mean_field.py") == []


def test_every_claim_to_be_trusted_has_a_command():
    rows = [
        line for line in PAGES["trust"].splitlines() if line.startswith("|") and not line.startswith(("| claim", "|--"))
    ]
    assert len(rows) > 25
    for row in rows:
        claim, judges, command, agreement = re.split(r"(?<!\\)\|", row)[1:5]
        assert claim.strip() and judges.strip() and agreement.strip()
        assert re.search(r"`(pytest|python -m benchmarks) ", command), row


def test_commands_and_their_flags_are_known():
    from typer.main import get_command

    from isthmus.cli import app

    known = get_command(app).commands
    mentioned = set()
    for words in commands("isthmus"):
        name, *rest = [word for word in words[1:] if word not in ("[OPTIONS]",)] or ["--help"]
        if name.startswith("-") or not name.islower():
            continue
        assert name in known, words
        mentioned.add(name)
        options = {option for parameter in known[name].params for option in parameter.opts} | {"--help", "-h"}
        assert {word for word in rest if word.startswith("--")} <= options, words
    assert {"demo", "track", "predict", "width", "optimum", "bottleneck"} <= mentioned


def test_what_pages_call_im_is_public():
    names = {name for text in EVERYWHERE.values() for name in re.findall(r"\bim\.([A-Za-z_]\w*)", text)}
    assert len(names) > 10
    assert names <= set(im.__all__)


def test_links_lead_somewhere_and_calls_name_arguments_that_are_there():
    assert checks.complaints(run=False) == []
    for name, text in EVERYWHERE.items():
        for target in re.findall(r"`((?:docs|examples)/[\w/]+\.\w+)`", text):
            assert (ROOT / target).is_file(), (name, target)


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (r"\bigl\langle q, a \bigr\rangle", ["&#x027E8;", "&#x027E9;"]),
        (r"\lVert r \rVert^2", ['<mo stretchy="false">&#x02016;']),
        (r"\bigl\| r \bigr\|", ["&#x02016;"]),
        (r"\operatorname{Cov} \bigl( I \bigr)", [">Cov<"]),
    ],
)
def test_formulas_become_mathml_without_a_rest(formula, shown):
    made = mathematics.mathml(formula)
    assert mathematics.is_read(made) and all(sign in made for sign in shown)
    assert not mathematics.is_read(mathematics.mathml(r"\frob x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("See [there](nowhere.md).", "page.md links to nowhere.md, which isn't there"),
        ("# Here\n\n[a](#here) [b](#there)", "page.md links to #there, but page.md has no such heading"),
        ("```python\nimport isthmus as im\nim.train(widht=3)\n```\n", "page.md: im.train has no argument 'widht'"),
        (r"So $\frob x$ and `$\no$` are.", r"page.md has an equation with a command that isn't known: \frob x"),
        (
            "Text:\n\n    law = im.predict_finite_width(problem, when)\n    im.couple(problem, steps=1)\n",
            "no argument 'steps'",
        ),
    ],
)
def test_what_leads_nowhere_is_found(text, said, tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(checks, "pages", lambda: {"page": tmp_path / "page.md"})
    (found,) = checks.complaints(run=False)
    assert said in found


def test_code_that_fails_or_prints_something_else_is_found(tmp_path):
    path = tmp_path / "page.md"
    page = "```python\nx = 2\n```\n\n```python\nprint('it is', x * 1.01, 'm')\n```\n\nprints\n\n{}"
    for below in ("    it is 2.0\n    m\n", "> it is 2.0 m\n", "```\nit is 2.0 m\n```\n"):
        path.write_text(page.format(below), encoding="utf-8")
        assert checks.failures(path) == []
    for below in ("    it is 3 m\n", "    it was 2.0 m\n", "    it is 2.0 m m\n"):
        path.write_text(page.format(below), encoding="utf-8")
        assert "but its code prints\nit is 2.02 m" in checks.failures(path)[0]
    path.write_text(page.replace("x = 2", "y = 2"), encoding="utf-8")
    assert "NameError" in checks.failures(path)[0]


def test_dead_links_of_a_site_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.html").write_text(
        '<p id="x"><a href="../two.html#y">1</a><a class="c" href="../no.html">2</a>'
    )
    (tmp_path / "two.html").write_text(
        '<p id="y"><a href="#z">3</a><a href="https://x.org/#q">4</a><a href="a/one.html#x">'
    )
    assert checks.dead_links_of_site(tmp_path) == [
        "a/one.html links to ../no.html, which isn't there",
        "two.html links to #z, which isn't there",
    ]


def test_every_page_is_in_one_list():
    listed = [line for _, content in facts.fences("index", "toctree") for line in content.splitlines()]
    pages = [re.sub(r".*<(.+)>", r"\1", line) for line in listed if line and not line.startswith(":")]
    tutorials = {f"tutorials/{path.stem}" for path in notebooks.TUTORIALS.glob("*.ipynb")}
    assert sorted(pages) == sorted((set(PAGES) | tutorials) - {"index"})


def test_docstrings_keep_their_equations_and_signs():
    text = """Return |θ|² of `train`, with λ_ and ``a_b|c``, **boldly**.

    ∂_t ρ = ∇·(ρ∇Ψ),    R = ½|r|²

R_N ≈ R + ζ,  Cov ζ = K/N,
β = b/N .

A sentence with x = 1 in it.

Args:
    network: |θ| * 2.

Example:
    >>> a | b
    c_
"""
    made = docstrings.as_restructured_text(text)
    assert r"Return \|θ\|² of `train`, with λ\_ and ``a_b|c``, **boldly**." in made
    assert "::\n\n    ∂_t ρ = ∇·(ρ∇Ψ),    R = ½|r|²" in made
    assert "::\n\n    R_N ≈ R + ζ,  Cov ζ = K/N,\n    β = b/N ." in made
    assert made.count("::\n\n") == 2
    assert r"    network: \|θ\| \* 2." in made
    assert "    >>> a | b\n    c_" in made


@pytest.mark.parametrize(
    ("name", "text", "load"),
    [
        ("a.html", '<script src="https://x.org/a.js"></script>', "https://x.org/a.js"),
        ("a.html", '<img alt="" src="//x.org/a.png">', "//x.org/a.png"),
        ("a.html", '<link rel="stylesheet" href="http://x.org/a.css">', "http://x.org/a.css"),
        ("a.html", '<p style="background: url(https://x.org/b.png)">', "https://x.org/b.png"),
        ("a.css", "@import 'https://x.org/f.css';", "https://x.org/f.css"),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(name, text, load, tmp_path):
    (tmp_path / name).write_text(text + '<a href="https://arxiv.org">only a link</a><img src="_images/own.png">')
    assert outside.loads_from_outside(tmp_path) == [f"{name} loads {load}"]


@pytest.fixture
def copy(tmp_path):
    """A copy of what the site is built from, with examples and tutorials that take no time."""
    for name in ("docs", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "examples").mkdir()
    for path in (ROOT / "examples").glob("*.py"):
        (tmp_path / "examples" / path.name).write_text('"""An example."""\n\nprint("it", "ran")\n')
    for path in (tmp_path / "docs" / "tutorials").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
        notebook["cells"].append(TAUGHT)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


def build(folder: Path) -> subprocess.CompletedProcess:
    pytest.importorskip("sphinx")
    path = os.pathsep.join([str(folder / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "docs"], cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_site_is_built_and_loads_nothing_from_elsewhere(copy):
    done = build(copy)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "IPKernelApp" not in line] == []
    html = copy / "docs" / "_build" / "html"
    page = lambda name: (html / f"{name}.html").read_text(encoding="utf-8")
    assert {path.stem for path in html.glob("*.html")} >= set(PAGES)
    assert outside.loads_from_outside(html) == []
    for name in facts.documented():
        assert re.search(rf'id="(module-)?isthmus\.{name}"', page(reference.document(name)))
    assert 'href="solve_mean_field.html#isthmus.solve_mean_field"' in page("reference/predict_finite_width")
    assert "arxiv.org/abs/2606.07120" in page("reference/Problem") and "See also" in page("reference/Problem")
    place = facts.place("core.autoencoder.Autoencoder.velocity")
    assert f'href="code/core/autoencoder.html#L-{place.line}"' in page("theory")
    assert f'id="L-{place.line}"' in page("code/core/autoencoder")
    assert page("gallery").count("it ran") == len(list((copy / "examples").glob("*.py")))
    assert "42" in page("tutorials/paper") and (html / "paper.ipynb").is_file()
    assert page("finite_width").count("<math") > 40
    assert "mathjax" not in "".join(re.findall(r"<script[^>]*>", page("finite_width"))).lower()
    said = re.sub(r"<[^>]+>", "", page("command_line"))
    assert "isthmus bottleneck --example" in said and "--max-latent-dim" in said and "max_latent_dim = " in said
    for target in {link for name in PAGES for link in re.findall(r'href="([\w./]+\.html)', page(name))}:
        assert (html / target).is_file(), target


@pytest.mark.slow
def test_the_build_fails_on_a_name_without_docstring(copy):
    path = copy / "src" / "isthmus" / "theory" / "saddle.py"
    text = path.read_text(encoding="utf-8")
    assert text.count('"""Return the mean escape time of networks of a width."""') == 1
    path.write_text(text.replace('"""Return the mean escape time of networks of a width."""\n', ""), encoding="utf-8")
    done = build(copy)
    assert done.returncode != 0
    assert "Saddle.escape_time stands on the shelf without a docstring" in done.stderr


@pytest.mark.slow
def test_the_build_fails_on_pages_nobody_lists_names_nobody_defines_and_examples_that_fail(copy):
    (copy / "docs" / "lonely.md").write_text("# Lonely\n\nSee {at}`core.autoencoder.Autoencoder.rsk`.\n")
    (copy / "examples" / "table.py").write_text("raise SystemExit('no table')\n")
    done = build(copy)
    assert done.returncode != 0
    assert re.search(r"lonely\.md.*isn't included in any toctree", done.stderr)
    assert re.search(r"lonely\.md.*has no definition of 'rsk'", done.stderr)
    assert re.search(r"gallery\.md.*examples/table\.py failed:\s+no table", done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, path in checks.pages().items() if checks.snippets(path)])
def test_the_python_of_a_page_runs_and_prints_what_stands_below(name):
    assert checks.failures(checks.pages()[name]) == []
