// The list of runs.
import { api, badge, count, duration, el, figure, section } from "./dom.js";

export const runLink = (name) => `#/run/${encodeURIComponent(name)}`;
export const stateOf = (run) => (run.running ? "running" : run.complete ? "done" : "stopped");

export function empty() {
  return el("div", { class: "empty" }, el("h1", {}, "No runs yet"), el("p", {}, "A run appears here as soon as it begins. Start one in a terminal, in the folder where this page was started:"),
    el("pre", {}, el("code", {}, "scripts/quickstart")), el("p", {}, "or, with text of your own:"),
    el("pre", {}, el("code", {}, "picochat run tiny --scale tiny-cpu --corpus-input my-texts/ --out-dir runs/mine")),
    el("p", { class: "quiet" }, "Runs elsewhere? Start the page with picochat web --runs-dir DIR."));
}

function card(run) {
  const training = typeof run.step === "number";
  return el("li", { class: "card" },
    el("h2", {}, el("a", { href: runLink(run.name) }, run.name)),
    el("p", {}, badge(stateOf(run)), " ", run.verdict && badge(run.verdict)),
    training && el("p", {}, `${run.stage}: step ${count(run.step)} of ${count(run.max_steps)}`),
    training && run.running && el("progress", { value: run.progress, max: 1, "aria-label": `progress of ${run.stage}` }),
    training && el("p", { class: "quiet small" }, `loss ${figure(run.train_loss)}, held-out bits per byte ${figure(run.val_bpb)}`),
    el("p", { class: "quiet small" }, `${run.scale || "custom"}, started ${run.started_at || "at an unknown time"}`),
    run.has_model && el("p", { class: "small" }, el("a", { href: `#/chat/${encodeURIComponent(run.name)}` }, "Chat")));
}

export async function showRuns(place) {
  const { runs } = await api("/api/runs");
  const stable = runs.map(({ seconds_since_change, ...rest }) => rest);
  section(place, "runs", stable, () => (runs.length === 0 ? empty() : [el("h1", {}, "Runs"), el("ul", { class: "cards" }, runs.map(card))]));
}
