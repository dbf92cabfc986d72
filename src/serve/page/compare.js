// Two runs side by side.
import { api, badge, count, el, figure, percent, section, table } from "./dom.js";
import { stageCharts } from "./chart.js";
import { empty, stateOf } from "./runs.js";

function choice(label, names, chosen, change) {
  const id = `compare-${label}`;
  return el("label", { for: id }, label, el("select", { id, onchange: (event) => change(event.target.value) },
    names.map((name) => el("option", { value: name, selected: name === chosen }, name))));
}

function facts(runs) {
  const rows = [["state", (r) => badge(stateOf(r))], ["verdict", (r) => (r.verdict ? badge(r.verdict) : "not judged")], ["scale", (r) => r.scale || "custom"], ["parameters", (r) => count(r.parameters)],
    ["held-out bits per byte", (r) => figure(r.val_bpb)], ["training loss", (r) => figure(r.train_loss)]];
  for (const [report, name] of [["eval", "evaluation"], ["sft_fit", "rows trained on"], ["sft_fit_heldout", "rows held out"]])
    rows.push([name, (r) => (r.boards[report] ? `${percent(r.boards[report].rate)} of ${count(r.boards[report].scored)}` : "not measured")]);
  const categories = [...new Set(runs.flatMap((r) => (r.boards.eval ? r.boards.eval.categories.map((c) => c.category) : [])))].sort();
  for (const category of categories)
    rows.push([`evaluation: ${category}`, (r) => {
      const found = r.boards.eval && r.boards.eval.categories.find((c) => c.category === category);
      return found ? percent(found.rate) : "not measured";
    }]);
  return table("Comparison", ["", ...runs.map((r) => r.name)], rows.map(([name, value]) => [name, ...runs.map(value)]));
}

export async function showCompare(place, first, second) {
  const { runs } = await api("/api/runs");
  const names = runs.map((run) => run.name);
  if (names.length < 2) return section(place, "few", names, () => (names.length === 0 ? empty() : el("p", {}, "There is one run only. A comparison needs two.")));
  const a = names.includes(first) ? first : names[0], b = names.includes(second) ? second : names.find((name) => name !== a);
  const go = (x, y) => (location.hash = `#/compare/${encodeURIComponent(x)}/${encodeURIComponent(y)}`);
  section(place, "choice", [names, a, b], () => [el("h1", {}, "Compare"), el("div", { class: "row" }, choice("First run", names, a, (x) => go(x, b)), choice("Second run", names, b, (x) => go(a, x)))]);
  const load = async (name) => ({ ...(await api("/api/run", { name })), curves: await api("/api/curves", { name }) });
  const both = await Promise.all([load(a), load(b)]);
  section(place, "facts", both.map(({ seconds_since_change, curves, ...rest }) => rest), () => facts(both));
  section(place, "curves", both.map((run) => [run.name, run.curves.stages]), () => stageCharts(both));
}
