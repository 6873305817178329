// What a page does: one slider that moves all animations on it, switches for the bands, and figures that can be saved.
"use strict";

const still = window.matchMedia("(prefers-reduced-motion: reduce)");
const TWEEN = 220, BEAT = 650;

// An animation holds the data of one study, and the view of it that was chosen.
class StudyAnimation {
  constructor(section) {
    this.section = section;
    this.data = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
    for (const key of ["latents", "encoder", "decoder"]) this.data[key].array = unpack(this.data[key].places);
    for (const key of ["fixed", "moving"]) this.data.pictures[key] = unpack(this.data.pictures[key]);
    this.times = this.data.frames.map((index) => this.data.times[index]);
    this.place = this.target = this.times.length - 1;
    this.view = { measured: true, predicted: true };
    for (const select of section.querySelectorAll("select")) {
      this.view[select.name] = Number(select.value);
      select.addEventListener("change", () => { this.view[select.name] = Number(select.value); this.build(); });
    }
    section.hidden = false;
  }

  build() {
    this.moves = [];
    for (const figure of this.section.querySelectorAll("[data-figure]")) {
      const holder = figure.querySelector(".drawing"), width = Math.max(240, Math.floor(holder.clientWidth));
      holder.replaceChildren();
      const svg = make(holder, "svg", { role: "img", width, "aria-label": figure.querySelector("h3").textContent });
      svg.classList.add("moving");
      const drawn = DRAWERS[figure.dataset.figure](svg, this.data, this.view, width);
      this.moves.push(drawn.move);
      holder.series = drawn.series ?? (() => []);
      if (!holder.hasReadings) showReadings(holder, () => holder.series());
      holder.hasReadings = true;
    }
    this.draw();
    this.updateReadout();
  }

  // The latest frame that is not after a time.
  aim(time) {
    this.target = Math.max(0, this.times.findLastIndex((own) => own <= time * (1 + 1e-9)));
    this.updateReadout();
  }

  draw() {
    for (const move of this.moves) move(this.place, this.times[Math.round(this.place)]);
  }

  updateReadout() {
    const { risk, frames, networks } = this.data, { network, step } = this.view, i = frames[this.target];
    const name = networks[network].name, four = (value) => number(value, 4);
    const spread = ([low, middle, high]) => [four(middle[i]), `${four(low[i])} to ${four(high[i])}`];
    const rows = [[`mean field, t = ${short(this.times[this.target])}`, four(risk.limit[i]), `± ${number(risk.error[i], 2)}`], [`${name}, measured`, ...spread(risk.measured[network][step])]];
    if (risk.predicted) rows.push([`${name}, predicted`, ...spread(risk.predicted[network][step])]);
    rows.push(["PCA", four(risk.pca), ""]);
    this.section.querySelector(".readout").replaceChildren(...rows.map(([label, value, bounds]) => {
      const row = document.createElement("div");
      for (const [tag, text] of [["dt", label], ["dd", value], ["dd", bounds]]) {
        const element = document.createElement(tag);
        element.textContent = text;
        row.append(element);
      }
      return row;
    }));
  }
}

function direct(container) {
  const animations = [...container.querySelectorAll(".animation")].map((section) => new StudyAnimation(section));
  const controls = container.querySelector(".controls"), slider = controls.querySelector("input[type=range]");
  const button = controls.querySelector(".play"), output = controls.querySelector("output");
  const stops = [...new Set(animations.flatMap((animation) => animation.times))].sort((a, b) => a - b);
  let running = 0, playing = 0, started = 0;

  const step = (now) => {
    const share = still.matches ? 1 : Math.min(1, Math.max(0, now - started) / TWEEN); // a frame can begin before it is asked for
    for (const animation of animations) {
      if (animation.place === animation.target) continue;
      animation.place = share === 1 ? animation.target : animation.from + (animation.target - animation.from) * share;
      animation.draw();
    }
    running = share < 1 ? requestAnimationFrame(step) : 0;
  };
  const go = () => {
    const time = stops[slider.value], text = `t = ${short(time)}`;
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    for (const animation of animations) {
      animation.from = animation.place;
      animation.aim(time);
    }
    started = performance.now();
    if (!running) running = requestAnimationFrame(step);
  };
  const rest = () => {
    clearInterval(playing);
    playing = 0;
    button.textContent = "Play";
  };
  button.addEventListener("click", () => {
    if (playing) return rest();
    if (Number(slider.value) === stops.length - 1) slider.value = 0;
    button.textContent = "Pause";
    playing = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      go();
      if (Number(slider.value) === stops.length - 1) rest();
    }, BEAT);
    return go();
  });
  slider.addEventListener("input", () => { rest(); go(); });
  for (const box of controls.querySelectorAll("input[type=checkbox]"))
    box.addEventListener("change", () => {
      for (const animation of animations) {
        animation.view[box.name] = box.checked;
        animation.build();
      }
    });

  controls.hidden = false;
  slider.max = stops.length - 1;
  slider.value = slider.max;
  const build = () => animations.forEach((animation) => animation.build());
  build();
  go();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // a phone hides and shows its bars
    width = window.innerWidth;
    build();
  });
}

const SAVED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "visibility"];
const VARIABLE = /var\(--[\w-]+, (#[0-9a-f]{6})\)/g;

// The text of an SVG file for white paper: colours as they are in the light, whatever the page is in now.
function svgText(svg) {
  const copy = svg.cloneNode(true), box = svg.viewBox.baseVal;
  copy.querySelector(".reading-ring")?.remove();
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  if (svg.classList.contains("moving")) {
    document.documentElement.classList.add("paper");
    const originals = [...svg.querySelectorAll("*:not(.reading-ring)")];
    [...copy.querySelectorAll("*")].forEach((element, i) => {
      const style = getComputedStyle(originals[i]);
      for (const name of SAVED) element.setAttribute(name, style.getPropertyValue(name));
    });
    document.documentElement.classList.remove("paper");
    copy.prepend(make(copy, "rect", { width: "100%", height: "100%", fill: "#ffffff" }));
  }
  return new XMLSerializer().serializeToString(copy).replace(VARIABLE, "$1");
}

const svgAddress = (svg) => `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(svg))}`;

async function pngAddress(svg) {
  const image = new Image(), canvas = document.createElement("canvas"), box = svg.viewBox.baseVal, scale = 3;
  image.src = svgAddress(svg);
  await image.decode();
  [canvas.width, canvas.height] = [Math.round(scale * box.width), Math.round(scale * box.height)];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

function offer(figure) {
  const row = document.createElement("p"), picture = () => figure.querySelector("svg"), image = figure.querySelector("img");
  row.className = "save";
  const add = (kind, address) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Save ${kind.toUpperCase()}`;
    button.setAttribute("aria-label", `Save ${figure.dataset.save} as ${kind.toUpperCase()}`);
    button.addEventListener("click", async () => {
      const link = document.createElement("a");
      link.href = await address();
      link.download = `${figure.dataset.save}.${kind}`;
      link.click();
    });
    row.append(button);
  };
  if (!image) add("svg", () => svgAddress(picture()));
  add("png", () => (image ? image.src : pngAddress(picture())));
  figure.querySelector("figcaption").before(row);
}

// Paper shows everything, and what was folded is folded again after it.
function unfold() {
  const folded = [...document.querySelectorAll("details:not([open])")];
  for (const part of folded) part.open = true;
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }), { once: true });
}

// Where no font for mathematics is installed, browsers set scripts too far from the line.
function lowerScripts() {
  const probe = document.createElement("p"), size = 100;
  probe.innerHTML = "<math><msup><mi>N</mi><mn>2</mn></msup></math>";
  probe.style = `position: absolute; font-size: ${size}px`;
  document.body.append(probe);
  const [base, script] = [...probe.querySelectorAll("mi, mn")].map((part) => part.getBoundingClientRect().bottom);
  probe.remove();
  document.documentElement.classList.toggle("plain-math", base - script > 0.6 * size);
}

lowerScripts();
window.addEventListener("beforeprint", unfold);
document.querySelectorAll(".animations").forEach(direct);
document.querySelectorAll("[data-save]").forEach(offer);
