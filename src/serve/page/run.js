// One run, from its first stage to its verdict.
import { api, badge, count, duration, el, figure, percent, section, table } from "./dom.js";
import { stageCharts } from "./chart.js";
import { stateOf } from "./runs.js";

const kBoards = { eval: "Evaluation", sft_fit: "Rows it was trained on", sft_fit_heldout: "Rows held out of training" };

function head(run) {
  const training = typeof run.step === "number";
  return [el("h1", {}, run.name), el("p", {}, badge(stateOf(run)), " ", run.verdict && badge(run.verdict), " ",
      el("span", { class: "quiet" }, `${run.scale || "custom"}, ${count(run.parameters)} parameters, ${run.device || "device unknown"}`)),
    el("ul", { class: "stages", "aria-label": "Stages" }, run.stages.map((stage) => el("li", { class: stage.status },
      `${stage.name.replace("_", " ")}: ${{ done: "done", started: "at work", pending: "to come" }[stage.status] || stage.status}${typeof stage.seconds === "number" ? `, ${duration(stage.seconds)}` : ""}`))),
    training && el("div", {}, el("p", {}, `${run.stage}: step ${count(run.step)} of ${count(run.max_steps)}, loss ${figure(run.train_loss)}, held-out bits per byte ${figure(run.val_bpb)}`,
      run.running && typeof run.stage_seconds_left === "number" ? `, about ${duration(run.stage_seconds_left)} left in this stage` : ""),
    el("progress", { value: run.progress || 0, max: 1, "aria-label": `progress of ${run.stage}` })),
    !run.running && !run.complete && el("p", { class: "warn" }, "The run is not at work and not complete. The same command goes on where it stopped."),
    run.has_model && el("p", {}, el("a", { href: `#/chat/${encodeURIComponent(run.name)}` }, "Chat with its newest checkpoint"), " · ", el("a", { href: `#/compare/${encodeURIComponent(run.name)}` }, "Compare with another run")),
    el("details", {}, el("summary", {}, "Command"), el("pre", {}, el("code", {}, run.command || "not recorded")))];
}

function finding(name, status, message, remedy) {
  return el("div", { class: `finding ${status === "block" || status === "blocked" ? "bad" : status === "warn" ? "warn" : "quiet"}` },
    el("p", {}, badge(status.replace(/_/g, " ")), " ", el("strong", {}, name.replace(/_/g, " "))), el("p", {}, message), remedy && el("p", { class: "quiet" }, `What to do: ${remedy}`));
}

function preflight(report) {
  if (!report) return [el("h2", {}, "Preflight"), el("p", { class: "quiet" }, "Not judged yet.")];
  return [el("h2", {}, "Preflight ", badge(report.status)), el("p", { class: "quiet" }, `${report.passed} checks passed, ${report.findings.length} to look at.`),
    el("details", { open: report.status === "blocked" }, el("summary", {}, "What to look at"), report.findings.map((f) => finding(f.name, f.status, f.message, f.remedy)))];
}

function gate(verdict) {
  if (!verdict) return [el("h2", {}, "Release gate"), el("p", { class: "quiet" }, "Not judged yet.")];
  const issues = verdict.issues || [];
  return [el("h2", {}, "Release gate ", badge(verdict.status)), el("p", { class: "quiet" }, `Profile ${verdict.profile}. ${issues.length === 0 ? "No issues." : ""}`),
    issues.map((issue) => finding(issue.name, issue.severity, issue.message, issue.remedy))];
}

async function showRows(place, name, report, category) {
  const { rows, count: total } = await api("/api/failing", { name, report, category });
  place.replaceChildren(el("h3", {}, `Failing rows${category ? ` of ${category}` : ""}: ${total}`), rows.length < total && el("p", { class: "quiet" }, `The first ${rows.length}:`) || "",
    ...rows.map((row) => el("details", {}, el("summary", {}, `${row.category}: ${row.user.slice(0, 90)}`), el("p", { class: "quiet small" }, "Asked"), el("div", { class: "text" }, row.user),
      el("p", { class: "quiet small" }, "Answered"), el("div", { class: "text" }, row.reply || "(nothing)"), row.reference && el("p", { class: "small" }, `Reference: ${row.reference}`),
      el("p", { class: "small" }, `Why it failed: ${(row.reasons || []).join(", ").replace(/_/g, " ")}`))));
  place.focus();
}

function board(name, report, data) {
  const rows = el("div", { tabindex: "-1", "data-rows": report });
  const button = (category) => el("button", { type: "button", "aria-label": `failing rows of ${category || "all categories"}`, onclick: () => showRows(rows, name, report, category) }, "Failing rows");
  const bar = (rate) => el("span", { class: "bar", "aria-hidden": "true" }, el("span", { "data-width": String(Math.round(100 * (rate || 0))) }));
  const list = data.categories.map((c) => [c.category, `${count(c.passed)} of ${count(c.scored)}`, percent(c.rate),
    typeof c.low === "number" ? `${percent(c.low)} to ${percent(c.high)}` : "", bar(c.rate), c.passed < c.scored ? button(c.category) : ""]);
  const node = el("div", {}, el("h2", {}, `${kBoards[report]}: ${percent(data.rate)}`), el("p", { class: "quiet" }, `${count(data.passed)} of ${count(data.scored)} rows passed.`),
    table(`${kBoards[report]} by category`, ["category", "#passed", "#rate", "#95% interval", "", ""], list), rows);
  for (const inner of node.querySelectorAll("[data-width]")) inner.style.width = inner.dataset.width + "%"; // a style attribute is not allowed here, a property is
  return node;
}

function samples(data) {
  const row = (entry) => el("details", {}, el("summary", {}, `${entry.category}: ${entry.user.slice(0, 90)}`), el("div", { class: "text" }, entry.user), el("div", { class: "text" }, entry.reply || "(nothing)"));
  return [el("h2", {}, "Samples"), !data.base && data.good.length + data.bad.length === 0 && el("p", { class: "quiet" }, "None yet."),
    data.base && el("details", {}, el("summary", {}, "Text of the base model"), el("div", { class: "text" }, data.base)),
    data.good.length > 0 && el("h3", {}, "Answers that passed"), ...data.good.map(row), data.bad.length > 0 && el("h3", {}, "Answers that failed"), ...data.bad.map(row)];
}

export async function showRun(place, name) {
  const [run, curves] = await Promise.all([api("/api/run", { name }), api("/api/curves", { name })]);
  const { seconds_since_change, ...stable } = run;
  section(place, "head", stable, () => head(run));
  section(place, "problems", [run.problems, curves.broken_lines], () => (run.problems.length + curves.broken_lines === 0 ? null : el("div", { class: "finding warn" },
    curves.broken_lines > 0 && el("p", {}, `${curves.broken_lines} line${curves.broken_lines > 1 ? "s" : ""} of metrics.jsonl could not be read; the rest is shown.`), run.problems.map((p) => el("p", {}, p)))));
  section(place, "curves", curves.stages, () => stageCharts([{ name, curves }]));
  section(place, "gate", run.gate, gate);
  section(place, "preflight", run.preflight, preflight);
  for (const report of Object.keys(kBoards)) section(place, report, run.boards[report], (data) => (data ? board(name, report, data) : null));
  section(place, "samples", run.samples, samples);
}
