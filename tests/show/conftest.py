"""Results of invented studies whose figures and pages are looked at."""

import shutil

import numpy as np
import pytest
import xarray as xr
from browsing import SETTLED
from invented import invented

import isthmus as im
from isthmus.show import comparison, gap_plots, pages, tracking_plots, tracking_report
from isthmus.show.report import Section, Table, render_page
from isthmus.studies.tracking_result import TrackingResult


@pytest.fixture(scope="module")
def images():
    """Images, labels, two widths in no order, two step sizes, k = 2."""
    return invented()


@pytest.fixture(scope="module")
def table():
    """A table, for a single width and step size, k = 1: nothing has a rate, and the gap of the draw doesn't fade."""
    result = invented(images=False, latent_dim=1, widths=(8,), relaxing=False)
    study = im.TrackingStudy(**result.study.model_dump() | {"step_sizes": [0.5]})
    data = result.dataset.sel(step_size=[0.5])
    rates = {name: xr.full_like(data[name], np.nan) for name in ("width_rate", "flow_width_rate", "step_rate")}
    return TrackingResult(study, data.assign(rates).assign_attrs(study=study.to_toml()))


@pytest.fixture(scope="module")
def unlabelled(images):
    """The same as images, without labels, k = 3."""
    latent = xr.concat([images.dataset.latent, images.dataset.latent.isel(axis=[0])], "axis")
    return TrackingResult(images.study, images.dataset.drop_vars(["latent", "label"]).assign(latent=latent))


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one these tests fail, since nothing else tells whether a page works."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("These tests need a Chromium on the PATH: apt-get install chromium.")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        pytest.fail("These tests need playwright: pip install 'isthmus[browser]'.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def results():
    return {"images": invented(0), "table": invented(1, images=False, latent_dim=1, horizon=8.0)}


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    """Pages by name: all figures, images, a table, both, one without an animation, and one with a wide table."""
    folder = tmp_path_factory.mktemp("pages")
    few = pages.Shown((gap_plots.sup_gap, tracking_plots.risk_curves), tracking_report.tracking_page)
    texts = {"whole": render_page(pages.result_page(results["images"]))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pages.PAGES, TrackingResult, few)
        texts |= {name: render_page(pages.result_page(one)) for name, one in results.items()}
        page = pages.result_page(invented(0, scene=False))
        texts["both"] = comparison.render_comparison(comparison.compare(list(results.values()), list(results)))
    texts["bare"] = render_page(page)
    rows = [(k, [("0.09664", "0.0906 to 0.103")] * 5) for k in range(1, 7)]
    table = Table("The curve", "Six columns.", ["k", *["PCA, in training"] * 5], rows)
    texts["wide"] = render_page(page._replace(sections=[Section("Numbers", tables=[table])]))
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, written):
    """Open a page by name; at the end nothing may have been complained of, and nothing asked for but the page."""
    contexts, complaints, asked = [], [], []

    def opened(name: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        address = (written / f"{name}.html").as_uri()
        page.goto(address)
        page.wait_for_timeout(SETTLED)
        opened.addresses.append(address)
        return page

    opened.addresses = []
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == opened.addresses
