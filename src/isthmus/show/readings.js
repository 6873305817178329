// What a figure says under the pointer: the values of the nearest mark, in a box beside it. Arrows do the same.
"use strict";

const NEAR = 28;
const DIGITS = 3;

// A number as in every sentence of a report: so many significant digits, trailing zeros included, and a true minus sign.
function number(value, digits = DIGITS) {
  if (value === null || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  if (exponent < -5 || exponent >= 6) {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    return `${mantissa} × 10^${Number(power)}`.replaceAll("-", "−");
  }
  const places = Math.max(0, digits - 1 - exponent);
  const rounded = Number(value.toPrecision(digits));
  return rounded.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", "−");
}

const valueText = (value) => (Array.isArray(value) ? `${number(value[0])} to ${number(value[1])}` : typeof value === "string" ? value : number(value));

// Shows the values of an SVG under the pointer: `find()` returns its series, with positions in the units of the SVG.
function showReadings(holder, find) {
  const box = document.createElement("div");
  box.className = "reading";
  box.hidden = true;
  let ring = null, at = null;
  const svg = () => holder.querySelector("svg");

  const hide = () => {
    box.hidden = true;
    ring?.remove();
    ring = null;
  };
  const show = (series, i) => {
    hide();
    const picture = svg(), [x, y] = series.places[i], scale = picture.getBoundingClientRect(), view = picture.viewBox.baseVal;
    const factor = Math.min(scale.width / view.width, scale.height / view.height), outer = holder.getBoundingClientRect();
    const left = scale.left - outer.left + (scale.width - factor * view.width) / 2 + factor * x;
    const top = scale.top - outer.top + (scale.height - factor * view.height) / 2 + factor * y;
    at = [series, i];
    ring = make(picture, "circle", { class: "reading-ring", cx: x, cy: y, r: 5 / factor, fill: "none", stroke: INK, "stroke-width": 1.5 / factor });
    const name = document.createElement("b");
    name.innerHTML = [series.panel, series.name].filter(Boolean).join(": ");
    box.replaceChildren(name, ...series.labels.map((label, part) => {
      const row = document.createElement("div");
      for (const [text, plain] of [[label, false], [valueText(series.values[part][i]), true]]) {
        const cell = document.createElement("span");
        cell[plain ? "textContent" : "innerHTML"] = text;
        row.append(cell);
      }
      return row;
    }));
    holder.append(box);
    box.hidden = false;
    box.style.left = `${Math.max(0, Math.min(left + 12, outer.width - box.offsetWidth - 2))}px`;
    box.style.top = `${top + 14 + box.offsetHeight < outer.height ? top + 14 : Math.max(0, top - box.offsetHeight - 12)}px`;
  };
  const seek = (event) => {
    const picture = svg();
    if (!picture) return;
    const matrix = picture.getScreenCTM(), all = find();
    let best = NEAR * NEAR, nearest = null;
    for (const series of all)
      series.places.forEach(([x, y], i) => {
        const dx = matrix.a * x + matrix.e - event.clientX, dy = matrix.d * y + matrix.f - event.clientY;
        const distance = dx * dx + dy * dy;
        if (distance < best) [best, nearest] = [distance, [series, i]];
      });
    if (nearest) show(...nearest);
    else hide();
  };
  holder.addEventListener("pointermove", seek);
  holder.addEventListener("pointerdown", seek);
  holder.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  holder.addEventListener("focusout", hide);
  holder.addEventListener("keydown", (event) => {
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key], across = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = find();
    if (event.key === "Escape") return hide();
    if ((!along && !across) || !all.length) return undefined;
    event.preventDefault();
    const [series, i] = at ?? [all[0], -1], count = all.length;
    const next = across ? all[(all.indexOf(series) + across + count) % count] : series;
    const size = next.places.length;
    return show(next, across ? Math.min(Math.max(i, 0), size - 1) : (i + along + size) % size);
  });
}

for (const figure of document.querySelectorAll("figure:has(> .readings)")) {
  const series = JSON.parse(figure.querySelector(".readings").textContent);
  window.addEventListener("load", () => showReadings(figure.querySelector(".plate"), () => series));
}
