// A conversation with a run's newest checkpoint.
import { api, el, headers, KeyNeeded } from "./dom.js";
import { empty } from "./runs.js";

const conversations = new Map(); // run -> turns; lost with the tab

// The pieces of a streamed answer.
async function* pieces(body, signal) {
  const answer = await fetch("/v1/chat/completions", { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body), signal });
  if (answer.status === 401) throw new KeyNeeded();
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let waiting = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (waiting + value).split("\n\n");
    waiting = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const parsed = JSON.parse(data);
      if (parsed.error) throw new Error(parsed.error.message);
      yield parsed;
    }
  }
}

export async function showChat(place, wanted) {
  if (place.querySelector("form.chat")) return; // it lives on its own; nothing to refresh
  const { data } = await api("/v1/models");
  const names = data.map((model) => model.id);
  if (names.length === 0) {
    const { runs } = await api("/api/runs");
    place.replaceChildren(runs.length === 0 ? empty() : el("div", { class: "empty" }, el("h1", {}, "Nobody to talk with yet"), el("p", {}, "No run has a checkpoint, or chat is switched off (picochat web --no-chat). The first checkpoint appears a few minutes into base training.")));
    return;
  }
  const name = names.includes(wanted) ? wanted : names[0];
  const turns = conversations.get(name) || [];
  conversations.set(name, turns);

  const list = el("ul", { class: "turns", "aria-label": "Conversation" }), note = el("p", { class: "quiet small", role: "status" });
  const input = el("textarea", { id: "message", rows: 3, required: true }), temperature = el("input", { id: "temperature", type: "number", min: 0, max: 5, step: 0.1, value: 0.8 });
  const model = el("select", { id: "model", onchange: (event) => (location.hash = `#/chat/${encodeURIComponent(event.target.value)}`) }, names.map((n) => el("option", { value: n, selected: n === name }, n)));
  const send = el("button", { class: "primary", type: "submit" }, "Send"), stop = el("button", { type: "button", disabled: true }, "Stop"), clear = el("button", { type: "button" }, "New conversation");
  const add = (turn) => {
    const text = el("div", { class: "text" }, turn.content);
    list.append(el("li", { class: turn.role }, el("span", { class: "quiet small" }, turn.role === "user" ? "You" : name), text));
    return text;
  };
  turns.forEach(add);

  let abort = null;
  async function answer() {
    const shown = add({ role: "assistant", content: "" });
    list.setAttribute("aria-busy", "true");
    abort = new AbortController();
    [send.disabled, stop.disabled, note.textContent] = [true, false, "thinking"];
    const reply = { role: "assistant", content: "" };
    let problem = "";
    try {
      for await (const event of pieces({ model: name, messages: [...turns], stream: true, temperature: Number(temperature.value) }, abort.signal)) {
        if (event.dropped_messages) problem = `The oldest ${event.dropped_messages} messages no longer fit the model's context and were left out.`;
        reply.content += event.choices[0]?.delta.content || "";
        shown.textContent = reply.content;
        if (event.choices[0]?.finish_reason === "length") problem ||= "The answer was cut: it reached its longest length or the end of the model's context.";
      }
    } catch (error) {
      if (error instanceof KeyNeeded) throw error;
      problem = error.name === "AbortError" ? "Stopped." : error.message;
    }
    turns.push(reply);
    if (!reply.content) shown.textContent = "(nothing)";
    list.setAttribute("aria-busy", "false");
    [send.disabled, stop.disabled, note.textContent, abort] = [false, true, problem || "done", null];
    input.focus();
  }
  const form = el("form", { class: "chat", onsubmit: (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || abort) return;
    input.value = "";
    turns.push({ role: "user", content: text });
    add(turns.at(-1));
    answer().catch(() => location.reload());
  } }, el("label", { for: "message" }, "Your message"), input, el("div", { class: "row" }, send, stop, clear, el("label", { for: "temperature" }, "Temperature"), temperature));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  stop.addEventListener("click", () => abort && abort.abort());
  clear.addEventListener("click", () => {
    if (abort) abort.abort();
    turns.length = 0;
    list.replaceChildren();
    note.textContent = "";
  });
  place.replaceChildren(el("h1", {}, "Chat"), el("div", { class: "row" }, el("label", { for: "model" }, "Run"), model), list, note, form,
    el("p", { class: "quiet small" }, "Enter sends, Shift+Enter begins a new line. Small models make things up: nothing here is advice."));
}
