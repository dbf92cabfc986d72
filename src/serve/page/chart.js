// Line charts as SVG, with their figures as a table for those who do not see them.
import { el, figure, table } from "./dom.js";

const kWidth = 480, kHeight = 240, kLeft = 56, kRight = 10, kTop = 10, kBottom = 34;

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Round figures that divide [low, high] into about five parts.
function ticks(low, high) {
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
  const out = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; ++k) out.push(k * step);
  return out;
}

const short = (value) => {
  const size = Math.abs(value);
  if (size >= 1e6) return value / 1e6 + "M";
  if (size >= 1e4) return value / 1e3 + "k";
  if (size !== 0 && size < 1e-3) return value.toExponential(0);
  return String(+value.toPrecision(3));
};

// series: [{name, x: [...], y: [...]}], two at most; null breaks a line.
export function chart(title, series, xLabel = "step") {
  const shown = series.map((s) => ({ ...s, points: s.x.map((x, i) => [x, s.y[i]]).filter(([x, y]) => typeof x === "number" && typeof y === "number") }))
    .filter((s) => s.points.length > 0);
  if (shown.length === 0) return null;
  const xs = shown.flatMap((s) => s.points.map((p) => p[0])), ys = shown.flatMap((s) => s.points.map((p) => p[1]));
  const pad = (low, high) => (low === high ? [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1] : [low, high]);
  const [x0, x1] = pad(Math.min(...xs), Math.max(...xs)), [y0, y1] = pad(Math.min(...ys), Math.max(...ys));
  const px = (x) => kLeft + ((x - x0) / (x1 - x0)) * (kWidth - kLeft - kRight), py = (y) => kHeight - kBottom - ((y - y0) / (y1 - y0)) * (kHeight - kTop - kBottom);
  const summary = shown.map((s) => `${s.name}: from ${figure(s.points[0][1])} to ${figure(s.points.at(-1)[1])}`).join("; ");
  const image = svg("svg", { viewBox: `0 0 ${kWidth} ${kHeight}`, role: "img", "aria-label": `${title}. ${summary}` });
  for (const y of ticks(y0, y1)) {
    image.append(svg("line", { class: "grid", x1: kLeft, x2: kWidth - kRight, y1: py(y), y2: py(y) }), svg("text", { x: kLeft - 6, y: py(y) + 4, "text-anchor": "end" }, short(y)));
  }
  for (const x of ticks(x0, x1)) image.append(svg("text", { x: px(x), y: kHeight - kBottom + 16, "text-anchor": "middle" }, short(x)));
  image.append(svg("text", { x: kWidth - kRight, y: kHeight - 4, "text-anchor": "end" }, xLabel));
  const colour = (s) => (series.findIndex((other) => other.name === s.name) === 0 ? "a" : "b");
  for (const s of shown) {
    if (s.points.length === 1) image.append(svg("circle", { class: colour(s), cx: px(s.points[0][0]), cy: py(s.points[0][1]), r: 3 }));
    else image.append(svg("polyline", { class: colour(s), points: s.points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ") }));
  }
  const every = (points) => points.filter((_, i) => i === points.length - 1 || i % Math.ceil(points.length / 12) === 0);
  return el("figure", {}, el("figcaption", {}, title), image, el("ul", { class: "legend" }, shown.map((s) => el("li", { class: colour(s) }, s.name))),
    el("details", { class: "small" }, el("summary", {}, "Figures"),
      table(title, ["series", "#" + xLabel, "#value"], shown.flatMap((s) => every(s.points).map(([x, y]) => [s.name, String(Math.round(x)), figure(y, 4)])))));
}

const kStageNames = { base: "base training", sft: "fine-tuning", dpo: "preference training" };

// The charts of the stages of one or two runs: [{name, curves}].
export function stageCharts(runs) {
  const stages = [...new Set(runs.flatMap((run) => Object.keys(run.curves.stages)))];
  const one = runs.length === 1;
  return stages.map((stage) => {
    const of = (kind, key) => runs.filter((run) => run.curves.stages[stage]).map((run) => ({
      name: one ? "" : run.name, x: run.curves.stages[stage][kind].step, y: run.curves.stages[stage][kind][key] }));
    const named = (name, list) => list.map((s) => ({ ...s, name: s.name || name }));
    const losses = one ? [...named("training", of("steps", "train_loss")), ...named("held out", of("evals", "val_loss"))] : of("evals", "val_loss");
    const charts = [chart(one ? "Loss" : "Held-out loss", losses), chart("Held-out bits per byte", named("held out", of("evals", "val_bpb"))),
      chart("Tokens per second", named("speed", of("steps", "tokens_per_sec"))), chart("Gradient norm", named("norm", of("steps", "grad_norm"))),
      one && chart("Learning rate", named("rate", of("steps", "learning_rate")))].filter(Boolean);
    return el("div", {}, el("h2", {}, `Curves: ${kStageNames[stage] || stage}`), el("div", { class: "charts" }, charts));
  });
}
