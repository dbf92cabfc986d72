// Which page is shown, and that it stays fresh.
import { el, KeyNeeded, setKey } from "./dom.js";
import { showChat } from "./chat.js";
import { showCompare } from "./compare.js";
import { showRun } from "./run.js";
import { showRuns } from "./runs.js";

const main = document.getElementById("main"), connection = document.getElementById("connection");
const kEvery = 2000;
let shownHash = null, turn = 0;

function route() {
  const words = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (words[0] === "run" && words[1]) return { title: words[1], show: (place) => showRun(place, words[1]) };
  if (words[0] === "compare") return { title: "Compare", show: (place) => showCompare(place, words[1], words[2]) };
  if (words[0] === "chat") return { title: "Chat", show: (place) => showChat(place, words[1]) };
  return { title: "Runs", show: showRuns };
}

function markNavigation() {
  const page = "#/" + (location.hash.replace(/^#\/?/, "").split("/")[0].replace("run", "") || "");
  for (const link of document.querySelectorAll("nav a"))
    link.getAttribute("href") === page ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
}

function askForKey() {
  if (main.querySelector("form.key")) return;
  const input = el("input", { id: "key", type: "password", autocomplete: "off", required: true });
  main.replaceChildren(el("form", { class: "key", onsubmit: (event) => {
    event.preventDefault();
    setKey(input.value);
    main.replaceChildren();
    shownHash = null;
    refresh();
  } }, el("h1", {}, "Key"), el("p", {}, "This server asks for the key that it was started with. It is kept in this tab only."), el("div", { class: "row" }, el("label", { for: "key" }, "Key"), input, el("button", { class: "primary" }, "Open"))));
  input.focus();
}

async function refresh() {
  const mine = ++turn;
  const { title, show } = route();
  if (shownHash !== location.hash) {
    const first = shownHash === null;
    shownHash = location.hash;
    document.title = `${title} · picochat`;
    main.replaceChildren(el("p", { class: "quiet", "data-loading": true }, "Loading"));
    markNavigation();
    if (!first) main.focus();
  }
  const page = main.firstElementChild && main.firstElementChild.hasAttribute("data-page") ? main.firstElementChild : el("div", { "data-page": true });
  try {
    await show(page);
    if (mine !== turn) return;
    if (!page.isConnected) {
      main.replaceChildren(page);
      page.querySelector("#message")?.focus(); // of the chat: what one came to type
    }
    connection.textContent = "";
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof KeyNeeded) return askForKey();
    const away = error instanceof TypeError; // what fetch throws when nobody answers
    connection.textContent = away ? "The server does not answer. Trying again." : error.message;
    if (!away && !page.isConnected) main.replaceChildren(el("p", { class: "bad" }, error.message));
  }
}

async function keepFresh() {
  for (;;) {
    if (!document.hidden && !main.querySelector("form.key")) await refresh();
    await new Promise((resume) => setTimeout(resume, kEvery));
  }
}

window.addEventListener("hashchange", refresh);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
keepFresh();
