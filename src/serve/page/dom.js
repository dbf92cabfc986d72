// Elements, figures for people, and the way to the server.

// Text from runs and models becomes text nodes, never markup.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Keeps `place` showing render(data), and touches it only when data changed: focus, scrolling and opened details stay.
export function section(place, id, data, render) {
  const mark = JSON.stringify(data);
  let node = place.querySelector(`[data-section="${id}"]`);
  if (!node) {
    node = el("section", { "data-section": id });
    place.append(node);
  }
  if (node.dataset.mark === mark) return;
  node.dataset.mark = mark;
  node.replaceChildren(...[render(data)].flat(Infinity).filter(Boolean));
}

export const notMeasured = "not measured";
export const figure = (value, digits = 3) => (typeof value === "number" ? value.toFixed(digits) : notMeasured);
export const percent = (value) => (typeof value === "number" ? (100 * value).toFixed(1) + "%" : notMeasured);
export const count = (value) => (typeof value === "number" ? value.toLocaleString("en") : notMeasured);
export function duration(seconds) {
  if (typeof seconds !== "number") return notMeasured;
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

export function badge(word) {
  const kind = { approved: "good", ready: "good", done: "good", running: "good", warn: "warn", blocked: "bad", block: "bad", stopped: "warn" }[word] || "quiet";
  return el("span", { class: `badge ${kind}` }, word);
}

export function table(caption, heads, rows) {
  const cell = (tag, value, numeric) => el(tag, { class: numeric ? "number" : null, scope: tag === "th" ? "col" : null }, value);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, el("table", {},
    el("caption", { class: "quiet small" }, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => cell("th", head.replace("#", ""), head.startsWith("#"))))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((value, i) => cell("td", value, heads[i].startsWith("#"))))))));
}

// ---- the server -----------------------------------------------------------------------------------

const kKey = "picochat-key"; // of this tab only; it goes into a header, never into an address
export const setKey = (key) => sessionStorage.setItem(kKey, key);
export function headers(more = {}) {
  const key = sessionStorage.getItem(kKey);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

export class KeyNeeded extends Error {}

export async function api(path, query = {}) {
  const words = new URLSearchParams(query).toString();
  const answer = await fetch(words ? `${path}?${words}` : path, { headers: headers() });
  if (answer.status === 401) throw new KeyNeeded();
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error ? value.error.message : `status ${answer.status}`);
  return value;
}
