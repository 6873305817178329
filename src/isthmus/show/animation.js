// The figures of an animation. Each drawer builds an SVG once for a width in pixels, and returns how it moves: a function of
// the place between frames, a number whose fraction leads from one frame to the next.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const INK = "var(--ink)", SOFT = "var(--soft)", LINE = "var(--line)";

function make(parent, tag, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

function short(number, digits = 3) {
  return String(Number(Number(number).toPrecision(digits))).replace("-", "−");
}

// Colours of the plain figures are made for white paper; a dark page has others for them.
function shade(color) {
  return color.startsWith("#") ? `var(--c-${color.slice(1)}, ${color})` : color;
}

const networkColor = (network) => (network.name === "mean field" ? INK : shade(network.color));

// An array of whole multiples of a unit, 16 bits each; the smallest of them stands for "nothing here".
function unpack(array) {
  const bytes = Uint8Array.from(atob(array.data), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) {
    const whole = view.getInt16(2 * i, true);
    values[i] = whole === -32768 ? NaN : whole * array.unit;
  }
  return { values, shape: array.shape };
}

// The row of values at [first, second] of an array, between two frames.
function between(array, network, place) {
  const [, frames, ...rest] = array.shape;
  const size = rest.reduce((a, b) => a * b, 1);
  const before = Math.min(Math.floor(place), frames - 1), share = place - before;
  const start = (network * frames + before) * size;
  const row = array.values.slice(start, start + size);
  if (share > 0) row.forEach((value, i) => { row[i] = (1 - share) * value + share * array.values[start + size + i]; });
  return row;
}

function niceTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= 0.7 * rough);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(i === 0 ? 0 : i * step);
  return ticks;
}

// Linear up to the first record after 0, logarithmic beyond it, from 0 to 1.
function timeScale(times) {
  const first = times[1], stretch = (time) => (time <= first ? (0.56 * time) / first : 0.56 + Math.log10(time / first));
  return (time) => stretch(time) / stretch(times.at(-1));
}

function timeTicks(times, x) {
  const ticks = [0], last = times.at(-1);
  for (let power = Math.floor(Math.log10(times[1])); 10 ** power <= last; power++)
    for (const factor of [1, 2, 5]) {
      const time = factor * 10 ** power;
      if (time >= times[1] * 0.999 && time <= last && x(time) - x(ticks.at(-1)) > 30) ticks.push(time);
    }
  return ticks;
}

function legend(svg, entries, left, width) {
  let x = left, y = 12;
  for (const [name, color, dashes, thickness] of entries) {
    const group = make(svg, "g");
    make(group, "line", { x1: 0, x2: 18, y1: -4, y2: -4, stroke: color, "stroke-width": thickness, "stroke-dasharray": dashes });
    const text = make(group, "text", { x: 22, y: 0, fill: SOFT }, name);
    const size = 34 + (text.getComputedTextLength() || 6 * name.length);
    if (x > left && x + size - 12 > width) [x, y] = [left, y + 16];
    group.setAttribute("transform", `translate(${x},${y})`);
    x += size;
  }
  return y + 10;
}

function riskDrawer(difference) {
  return (svg, data, view, width) => {
    const { risk, times } = data, network = data.networks[view.network], color = networkColor(network);
    const measured = risk.measured[view.network][view.step];
    const predicted = risk.predicted && risk.predicted[view.network][view.step];
    const origin = (i) => (difference ? risk.limit[i] : 0);
    const shifted = (values) => values.map((value, i) => value - origin(i));
    const limit = shifted(risk.limit), [low, middle, high] = measured.map(shifted);
    const entries = [["mean field", INK, "", 1.3]];
    if (view.measured) entries.push([`${network.name}: median, 5–95 %`, color, "", 4]);
    if (predicted && view.predicted) entries.push(["predicted 5–95 %", color, "3 2", 1.3]);
    if (!difference) entries.push(["PCA", SOFT, "1 3", 1.3]);
    const left = 62, right = width - 10, bottom = 214, top = legend(svg, entries, left, right);
    svg.setAttribute("viewBox", `0 0 ${width} 250`);
    const shown = [limit, low, high, ...(predicted ? [shifted(predicted[0]), shifted(predicted[2])] : [])].flat();
    shown.push(...(difference ? risk.error.flatMap((half) => [-half, half]) : [risk.pca]));
    const least = Math.min(...shown), most = Math.max(...shown), margin = 0.05 * (most - least || 1);
    const scale = timeScale(times), x = (time) => left + scale(time) * (right - left);
    const y = (value) => bottom - ((value - least + margin) / (most - least + 2 * margin)) * (bottom - top);
    const axes = make(svg, "g", { stroke: LINE }), words = make(svg, "g", { fill: SOFT });
    for (const tick of niceTicks(least - margin, most + margin, 5)) {
      make(axes, "line", { x1: left, x2: right, y1: y(tick), y2: y(tick), "stroke-width": 0.6 });
      make(words, "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick));
    }
    for (const tick of timeTicks(times, x)) {
      make(axes, "line", { x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 });
      make(words, "text", { x: x(tick), y: bottom + 17, "text-anchor": "middle" }, short(tick));
    }
    make(words, "text", { x: (left + right) / 2, y: 246, "text-anchor": "middle" }, "time t = step size × steps");
    make(words, "text", { transform: `translate(12,${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, difference ? "risk − R(t)" : "risk ½E‖x − x̂‖²");
    const points = (values) => values.map((value, i) => `${x(times[i]).toFixed(1)},${y(value).toFixed(1)}`);
    const band = (below, above) => [...points(below), ...points(above).reverse()].join(" ");
    const line = (values, attributes) => make(svg, "polyline", { points: points(values).join(" "), fill: "none", ...attributes });
    if (difference) {
      make(svg, "polygon", { points: band(risk.error.map((half) => -half), risk.error), fill: INK, opacity: 0.2 });
    }
    if (view.measured) {
      make(svg, "polygon", { class: "measured-band", points: band(low, high), fill: color, opacity: 0.35 });
      line(middle, { class: "measured-median", stroke: color, "stroke-width": 2 });
    }
    if (predicted && view.predicted)
      for (const edge of [predicted[0], predicted[2]]) line(shifted(edge), { class: "predicted-edge", stroke: color, "stroke-width": 1.4, "stroke-dasharray": "3 2" });
    if (!difference) make(svg, "line", { x1: left, x2: right, y1: y(risk.pca), y2: y(risk.pca), stroke: SOFT, "stroke-width": 1.3, "stroke-dasharray": "1 3" });
    line(limit, { class: "limit", stroke: INK, "stroke-width": 1.3 });
    const cursor = make(svg, "line", { class: "cursor", y1: top, y2: bottom, stroke: INK, "stroke-width": 1 });
    const dot = make(svg, "circle", { class: "now", r: 3.5, fill: INK });
    const label = difference ? "risk − R(t)" : "risk";
    const series = (name, values, more = {}) => ({
      name, panel: "", labels: ["t", label, ...Object.keys(more)], places: values.map((value, i) => [x(times[i]), y(value)]),
      values: [times, values, ...Object.values(more)],
    });
    const readings = [series("mean field", limit)];
    const ends = (below, above) => below.map((value, i) => [value, above[i]]);
    if (view.measured) readings.push(series(network.name, middle, { "5–95 %": ends(low, high) }));
    if (predicted && view.predicted) readings.push(series(`${network.name}, predicted`, shifted(predicted[1]), { "5–95 %": ends(shifted(predicted[0]), shifted(predicted[2])) }));
    const move = (place) => {
      const before = Math.floor(place), share = place - before, after = Math.min(before + 1, data.frames.length - 1);
      const [i, j] = [data.frames[before], data.frames[after]];
      const at = (1 - share) * x(times[i]) + share * x(times[j]);
      for (const name of ["x1", "x2"]) cursor.setAttribute(name, at.toFixed(1));
      dot.setAttribute("cx", at.toFixed(1));
      dot.setAttribute("cy", ((1 - share) * y(limit[i]) + share * y(limit[j])).toFixed(1));
    };
    return { move, series: () => readings };
  };
}

// Two panels with one scale: the chosen network, and the mean field. With weights, dots have areas in proportion.
function cloudDrawer(key) {
  return (svg, data, view, width) => {
    const cloud = data[key], array = cloud.array, weighted = array.shape[3] > 2, stride = array.shape[3];
    const flat = !weighted && cloud.names[1] === "";
    const left = flat ? 8 : 44, gap = 10, side = (width - left - gap - 4) / 2;
    const top = 22 + (cloud.key && cloud.key.length ? legend(svg, cloud.key.map(([name, color]) => [name, shade(color), "", 5]), left, width) : 0), height = flat ? 0.7 * side : side;
    svg.setAttribute("viewBox", `0 0 ${width} ${Math.round(top + height + 36)}`);
    const reach = [0, 0];
    let heaviest = 0, lowest = Infinity;
    const shown = [view.network, data.networks.length - 1], size = array.values.length / array.shape[0];
    for (const network of shown)
      for (let i = network * size; i < (network + 1) * size; i += stride) {
        if (Number.isNaN(array.values[i])) continue;
        reach[0] = Math.max(reach[0], Math.abs(array.values[i]));
        reach[1] = Math.max(reach[1], Math.abs(array.values[i + 1]));
        lowest = Math.min(lowest, array.values[i + 1]);
        if (weighted) heaviest = Math.max(heaviest, array.values[i + 2]);
      }
    const across = 1.06 * (flat ? reach[0] : Math.max(...reach)) || 1;
    const [floor, ceiling] = flat ? [lowest - 0.3, reach[1] + 0.3] : [-across, across];
    const panels = shown.map((network, panel) => {
      const start = left + panel * (side + gap), color = networkColor(data.networks[network]);
      const x = (value) => start + ((value + across) / (2 * across)) * side;
      const y = (value) => top + height - ((value - floor) / (ceiling - floor)) * height;
      const axes = make(svg, "g", { stroke: LINE, fill: "none" }), words = make(svg, "g", { fill: SOFT });
      make(axes, "rect", { x: start, y: top, width: side, height });
      for (const tick of niceTicks(-across, across, 4)) {
        make(axes, "line", { x1: x(tick), x2: x(tick), y1: top, y2: top + height, "stroke-width": tick === 0 ? 1 : 0.4 });
        make(words, "text", { x: x(tick), y: top + height + 14, "text-anchor": "middle" }, short(tick));
        if (flat) continue;
        make(axes, "line", { x1: start, x2: start + side, y1: y(tick), y2: y(tick), "stroke-width": tick === 0 ? 1 : 0.4 });
        if (panel === 0) make(words, "text", { x: left - 4, y: y(tick) + 4, "text-anchor": "end" }, short(tick));
      }
      make(words, "text", { x: start + side / 2, y: top + height + 31, "text-anchor": "middle" }, cloud.names[0]);
      if (panel === 0 && !flat)
        make(words, "text", { transform: `translate(11,${top + height / 2}) rotate(-90)`, "text-anchor": "middle" }, cloud.names[1]);
      const title = make(svg, "text", { x: start, y: top - 8, fill: color, "font-weight": 600 });
      const dots = [];
      const count = between(array, network, 0).length / stride;
      const group = make(svg, "g", { class: "dots", "fill-opacity": weighted ? 0.6 : 0.85 });
      for (let i = 0; i < count; i++) {
        const fill = weighted ? color : shade((cloud.colors && cloud.colors[i]) || "#08519c");
        dots.push(make(group, "circle", { r: 2.4, fill }));
      }
      return { network, title, dots, x, y, row: [] };
    });
    const move = (place, time) => {
      for (const panel of panels) {
        const { network, title, dots, x, y } = panel, row = between(array, network, place);
        panel.row = row;
        title.textContent = `${data.networks[network].name}, t = ${short(time)}`;
        dots.forEach((dot, i) => {
          const at = stride * i, missing = Number.isNaN(row[at]);
          dot.setAttribute("visibility", missing ? "hidden" : "visible");
          if (missing) return;
          dot.setAttribute("cx", x(row[at]).toFixed(1));
          dot.setAttribute("cy", y(row[at + 1]).toFixed(1));
          if (weighted) dot.setAttribute("r", (0.6 + 4.4 * Math.sqrt(Math.max(0, row[at + 2]) / (heaviest || 1))).toFixed(2));
        });
      }
    };
    const labels = [...(flat ? cloud.names.slice(0, 1) : cloud.names), ...(weighted ? ["outgoing length"] : [])];
    const series = () => panels.map(({ network, row, x, y }) => {
      const rows = Array.from({ length: row.length / stride }, (_, i) => row.slice(stride * i, stride * (i + 1))).filter(([first]) => !Number.isNaN(first));
      const columns = weighted ? [0, 1, 2] : flat ? [0] : [0, 1];
      return { name: data.networks[network].name, panel: "", labels, places: rows.map((one) => [x(one[0]), y(one[1])]), values: columns.map((at) => rows.map((one) => one[at])) };
    });
    return { move, series };
  };
}

function pictureDrawer(svg, data, view, width) {
  return (data.pictures.shape.length ? imageRows : featurePanels)(svg, data, view, width);
}

// One row of images for each method; a row is one small picture that the browser enlarges.
function imageRows(svg, data, view, width) {
  const { fixed, moving, shape: [rows, columns], pcaError, errors } = data.pictures;
  const examples = fixed.shape[1], left = 78, right = width - 52, tile = (right - left) / (examples * (columns + 1) - 1);
  const step = tile * rows + 8, paper = document.createElement("canvas");
  [paper.width, paper.height] = [examples * (columns + 1) - 1, rows];
  const brush = paper.getContext("2d");
  const strip = (values) => {
    brush.clearRect(0, 0, paper.width, paper.height);
    for (let example = 0; example < examples; example++) {
      const pixels = brush.createImageData(columns, rows);
      for (let i = 0; i < rows * columns; i++) {
        const grey = Math.round(255 * Math.min(1, Math.max(0, values[example * rows * columns + i])));
        pixels.data.set([grey, grey, grey, 255], 4 * i);
      }
      brush.putImageData(pixels, example * (columns + 1), 0);
    }
    return paper.toDataURL();
  };
  const shown = [view.network, data.networks.length - 1];
  const lines = [["original", INK], ["PCA", SOFT], ...shown.map((i) => [data.networks[i].name, networkColor(data.networks[i])])];
  svg.setAttribute("viewBox", `0 0 ${width} ${Math.round(22 + lines.length * step)}`);
  make(svg, "text", { x: width, y: 14, "text-anchor": "end", fill: SOFT }, "error");
  const title = make(svg, "text", { x: left, y: 14, fill: INK, "font-weight": 600 });
  const made = lines.map(([name, color], row) => {
    const top = 22 + row * step, middle = top + (tile * rows) / 2 + 4;
    make(svg, "text", { x: left - 8, y: middle, "text-anchor": "end", fill: color }, name);
    const image = make(svg, "image", { x: left, y: top, width: right - left, height: tile * rows, preserveAspectRatio: "none", style: "image-rendering: pixelated" });
    const error = make(svg, "text", { x: width, y: middle, "text-anchor": "end", fill: SOFT });
    return { image, error };
  });
  [0, 1].forEach((row) => made[row].image.setAttribute("href", strip(between({ ...fixed, shape: [1, 2, ...fixed.shape.slice(1)] }, 0, row))));
  made[1].error.textContent = number(pcaError);
  let seen = -1;
  const move = (place, time) => {
    const frame = Math.round(place);
    if (frame === seen) return;
    seen = frame;
    title.textContent = `t = ${short(time)}`;
    shown.forEach((network, i) => {
      made[2 + i].image.setAttribute("href", strip(between(moving, network, frame)));
      made[2 + i].error.textContent = number(errors[network][frame]);
    });
  };
  return { move };
}

// One small panel for each point: rings are its features, lines what the methods make of them.
function featurePanels(svg, data, view, width) {
  const { fixed, moving, pcaError, errors, features: called } = data.pictures;
  const examples = fixed.shape[1], features = fixed.shape[2], columns = width < 420 ? 2 : Math.min(4, examples);
  const rows = Math.ceil(examples / columns), shown = [view.network, data.networks.length - 1];
  const names = shown.map((i) => data.networks[i].name), colors = shown.map((i) => networkColor(data.networks[i]));
  const top = legend(svg, [["PCA", SOFT, "3 1", 1.3], [names[0], colors[0], "", 2], [names[1], colors[1], "", 1.3]], 4, width) + 20;
  const title = make(svg, "text", { x: 4, y: top - 8, fill: SOFT });
  const size = [(width - 8 * (columns - 1)) / columns, 78];
  const every = Math.ceil(features / Math.max(1, Math.floor((size[0] - 12) / 11)));
  const room = 5.5 * Math.max(0, ...called.map((name) => name.length));
  svg.setAttribute("viewBox", `0 0 ${width} ${top + rows * (size[1] + 8) + room}`);
  const all = [...fixed.values, ...moving.values], low = Math.min(...fixed.values) - 0.3, high = Math.max(...fixed.values) + 0.3;
  const [least, most] = [Math.max(low, all.reduce((a, b) => Math.min(a, b))), Math.min(high, all.reduce((a, b) => Math.max(a, b)))];
  const panels = Array.from({ length: examples }, (_, example) => {
    const start = (example % columns) * (size[0] + 8), ceiling = top + Math.floor(example / columns) * (size[1] + 8);
    const x = (feature) => start + 6 + (feature / Math.max(1, features - 1)) * (size[0] - 12);
    const y = (value) => ceiling + size[1] - 6 - ((Math.min(most, Math.max(least, value)) - least) / (most - least || 1)) * (size[1] - 12);
    const points = (values) => Array.from({ length: features }, (_, i) => `${x(i).toFixed(1)},${y(values[example * features + i]).toFixed(1)}`).join(" ");
    make(svg, "rect", { x: start, y: ceiling, width: size[0], height: size[1], fill: "none", stroke: LINE });
    for (let i = 0; i < features; i++) {
      const ring = make(svg, "circle", { cx: x(i), cy: y(fixed.values[example * features + i]), r: 2.2, fill: "none", stroke: INK });
      if (called.length) make(ring, "title", {}, called[i]);
      if (!called.length || i % every || example < examples - columns) continue;
      const foot = ceiling + size[1] + 5;
      make(svg, "text", { transform: `translate(${x(i) + 3} ${foot}) rotate(-90)`, "text-anchor": "end", fill: SOFT, "font-size": 9 }, called[i]);
    }
    const pca = fixed.values.slice(examples * features);
    make(svg, "polyline", { points: points(pca), fill: "none", stroke: SOFT, "stroke-dasharray": "3 1" });
    const lines = colors.map((stroke) => make(svg, "polyline", { class: "reconstruction", fill: "none", stroke, "stroke-width": 1.4 }));
    return { lines, points, place: (feature, value) => [x(feature), y(value)] };
  });
  let values = [];
  const move = (place, time) => {
    const error = (i) => number(errors[shown[i]][Math.round(place)]);
    title.textContent = `t = ${short(time)}; mean square errors: ${names[0]} ${error(0)}, ${names[1]} ${error(1)}, PCA ${number(pcaError)}`;
    values = shown.map((network) => between(moving, network, place));
    for (const { lines, points } of panels) lines.forEach((line, i) => line.setAttribute("points", points(values[i])));
  };
  const series = () => [["data", fixed.values], ["PCA", fixed.values.slice(examples * features)], ...names.map((name, i) => [name, values[i]])].flatMap(([name, all]) =>
    panels.map(({ place }, example) => {
      const own = [...all.slice(example * features, (example + 1) * features)];
      return { name, panel: `point ${example + 1}`, labels: ["feature", "scaled value"], places: own.map((value, i) => place(i, value)), values: [own.map((_, i) => called[i] ?? String(i + 1)), own] };
    }));
  return { move, series };
}

const DRAWERS = {
  risk: riskDrawer(false), difference: riskDrawer(true), pictures: pictureDrawer,
  latents: cloudDrawer("latents"), encoder: cloudDrawer("encoder"), decoder: cloudDrawer("decoder"),
};
