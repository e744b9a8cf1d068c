// The frame around every page: theme, range, live or paused, search, keys, counts.

import { $, $$, boot, h, icon, setText, toast } from "./dom.js";
import { absolute, parseSpan, span, timeOfDay, withZone, writeSpan, zone } from "./format.js";
import { eventsShown, toggleEvents } from "./eventtoggle.js";
import { connection, watch } from "./live.js";
import { address, bounds, emit, moving, on, setLive, setRange, state } from "./state.js";
import { openSearch } from "./search.js";

const QUICK = ["5m", "15m", "30m", "1h", "3h", "6h", "12h", "1d", "2d", "7d", "30d", "90d"];
const KEYS = {
  Everywhere: [
    ["/ or Ctrl + K", "Search metrics, alerts and pages; / filters where a page has a filter for it"],
    ["g then o, e, a, t, r, s, c, d, n", "Go to Overview, Explore, Alerts, Targets, Rules, Silences, Calendar, Deliveries, Noise"],
    ["p", "Pause, or go on live"],
    ["t", "Light or dark"],
    ["e", "Events on charts: show or hide"],
    ["-", "Zoom out: twice the range"],
    ["Esc", "Close what is open"],
    ["?", "This list"],
  ],
  "In lists": [["j / k, ↓ / ↑", "Next, previous"], ["Enter", "Open or close"], ["a", "Acknowledge the alert"], ["s", "Silence the alert, or the group"], ["Esc", "From the filter back to the list"]],
  "On the calendar": [["n", "Plan something"], ["← / →", "The week or month before, or after"]],
  "On charts": [
    ["drag", "Zoom the whole page"],
    ["double click", "Zoom out"],
    ["click a series", "Hide or show it"],
    ["Shift + click", "Only this series"],
  ],
  "In the editor": [["Ctrl + Space", "Complete"], ["Tab / Enter", "Take the completion"], ["Ctrl + Enter", "Run"]],
};

/** The answer to the page's question: status by shape, colour and word; `plain` is just a fact. */
export function answer(kind, text) {
  const place = $("#answer");
  if (place.dataset.text === kind + text) return;
  place.dataset.text = kind + text;
  place.className = kind;
  place.replaceChildren(kind === "plain" ? "" : icon(`s-${kind}`, "shape"), text);
  place.title = text;
}

export function rangeText() {
  if (moving()) return `Last ${writeSpan(state.range.last).replace(/(\d)([a-z])/, "$1 $2").replace(/ m$/, " min")}`;
  const [from, to] = bounds();
  const same = absolute(from).slice(0, 10) === absolute(to).slice(0, 10);
  return `${absolute(from).slice(0, 16)} – ${same ? absolute(to).slice(11, 16) : absolute(to).slice(0, 16)}`;
}

export function zoomOut() {
  const [from, to] = bounds();
  if (moving()) setRange({ last: Math.min(state.range.last * 2, 86400 * 366) });
  else setRange({ from: from - (to - from) / 2, to: Math.min(Date.now(), to + (to - from) / 2) });
}

function drawRange() {
  const place = $("[data-range]");
  if (place) setText(place, rangeText());
}

function fillRangeMenu() {
  const menu = $("#range-menu");
  const [from, to] = bounds();
  const local = (ms) => absolute(ms).replace(" ", "T");
  const quick = QUICK.map((text) =>
    h("button", {
      type: "button",
      "aria-pressed": String(moving() && parseSpan(text) === state.range.last),
      onclick: () => { menu.hidePopover(); setRange({ last: parseSpan(text) }); },
    }, span(parseSpan(text)).replace("90 min", "1.5 h")));
  const input = (name, value) => h("input", { name, type: "datetime-local", step: "1", value, required: true });
  const form = h("form", {
    onsubmit: (event) => {
      event.preventDefault();
      const [a, b] = ["from", "to"].map((name) => new Date(form.elements[name].value).getTime());
      if (!(b > a)) return toast("“To” must be later than “From”.");
      menu.hidePopover();
      return setRange({ from: a, to: b });
    },
  }, h("label", {}, "From", input("from", local(from))), h("label", {}, "To", input("to", local(to))),
    h("div.foot", {}, zone, h("button.button.primary", { type: "submit" }, "Apply")));
  menu.replaceChildren(h("div.quick", {}, quick), form);
}

function drawConnection() {
  const button = $("#live-button");
  const current = connection.state;
  const [shape, word] = {
    live: ["s-live", moving() || !$("[data-range]") ? "Live" : "Fixed range"],
    paused: ["s-paused", "Paused"],
    lost: ["s-unknown", "Reconnecting"],
    connecting: ["s-unknown", "Connecting"],
  }[current];
  if (button.dataset.state !== current || !button.textContent.includes(word)) {
    button.dataset.state = current;
    button.setAttribute("aria-pressed", String(current !== "paused"));
    button.replaceChildren(icon(shape, "shape"), h("span", {}, word));
    button.title = current === "paused" ? "Go on live (p)" : "Pause (p)";
  }
  const note = $("#stale");
  note.hidden = current !== "lost";
  document.body.classList.toggle("dim", current === "lost");
  if (current === "lost") setText(note, `The server cannot be reached. What you see is from ${timeOfDay(connection.since)} (${span((Date.now() - connection.since) / 1000)} old); reconnecting by itself.`);
}

function drawEvents() {
  const button = $("#events-button");
  button?.setAttribute("aria-pressed", String(eventsShown()));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  emit("theme", theme);
}

function switchTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  try {
    if (theme === system) localStorage.removeItem("pynomaly-theme");
    else localStorage.setItem("pynomaly-theme", theme);
  } catch {
    toast("The choice lasts for this page only: the browser forbids storing it.");
  }
  setTheme(theme);
}

function showKeys() {
  const dialog = $("#keys");
  const groups = Object.entries(KEYS).flatMap(([title, keys]) => [
    h("h2", {}, title),
    h("dl", {}, keys.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])),
  ]);
  dialog.replaceChildren(...groups, h("button.button", { type: "button", onclick: () => dialog.close() }, "Close"));
  dialog.showModal();
}

const ACTIONS = {
  theme: switchTheme,
  keys: showKeys,
  search: () => openSearch(alerts),
  live: () => setLive(!state.live),
  events: toggleEvents,
};

function typing(target) {
  return target.closest?.("input, textarea, select, [contenteditable]");
}

let goingTo = 0;
function onKey(event) {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && !$("dialog[open]")) {
    event.preventDefault();
    ACTIONS.search();
    return;
  }
  if (event.target.matches?.("[data-filter]") && ["Escape", "ArrowDown", "Enter"].includes(event.key)) {
    event.preventDefault();
    move(1, true);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  if (Date.now() - goingTo < 1200) {
    goingTo = 0;
    const page = boot.pages.find(({ name }) => name.startsWith(event.key));
    if (page) location.href = address(page.path);
    return;
  }
  const action = { "/": find, "?": showKeys, p: ACTIONS.live, t: switchTheme, e: toggleEvents, "-": zoomOut }[event.key];
  if (action) {
    event.preventDefault();
    action();
  } else if (event.key === "g") goingTo = Date.now();
  else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key.startsWith("Arrow") && event.target.closest?.("[data-row]") && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  }
}

/** Filter the list of the page, or search everything. */
function find() {
  const filter = $("[data-filter]");
  if (!filter) return ACTIONS.search();
  filter.focus();
  return filter.select();
}

/** j and k go through the rows of the page's lists. */
function move(step, first = false) {
  const rows = $$("[data-row]").filter((row) => row.offsetParent);
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement.closest?.("[data-row]"));
  const next = rows[first || at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function counts(topic, number, of) {
  const badge = $(`[data-count="${topic}"]`);
  if (!badge) return;
  badge.hidden = number === 0;
  setText(badge, number > 99 ? "99+" : String(number));
  badge.title = `${number} ${of}`;
}

function followLinks() {
  for (const link of $$("[data-nav]")) {
    const page = boot.pages.find(({ name }) => name === link.dataset.nav);
    link.href = address(page.path);
  }
}

export const alerts = { ...boot.alerts };

export function startFrame() {
  queueMicrotask(() => { if ($("[data-filter]")) setText($(".search-open kbd"), "Ctrl K"); }); // once the page has made its filter
  for (const button of $$("[data-do]")) button.addEventListener("click", () => ACTIONS[button.dataset.do]());
  document.addEventListener("keydown", onKey);
  const menu = $("#range-menu");
  menu.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    fillRangeMenu();
    const box = $("#range-button").getBoundingClientRect();
    menu.style.top = `${box.bottom + 6}px`;
    menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 308))}px`;
  });
  on("range", () => { drawRange(); drawConnection(); followLinks(); });
  on("connection", drawConnection);
  on("events-shown", drawEvents);
  setInterval(drawConnection, 1000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
  const seen = (data) => {
    Object.assign(alerts, data);
    counts("alerts", data.firing, "alerts fire");
    emit("alerts", data);
  };
  watch("alerts", seen);
  watch("targets", (data) => { counts("targets", data.down, "targets do not answer"); emit("targets", data); });
  seen(boot.alerts);
  if (boot.targets) counts("targets", boot.targets.down, "targets do not answer");
  drawRange();
  drawConnection();
  drawEvents();
  followLinks();
  setInterval(() => { for (const each of $$("time[data-ago]")) setText(each, each.dataset.form === "span" ? span((Date.now() - each.dataset.ago) / 1000) : agoText(each)); }, 5000);
}

const agoText = (element) => {
  const s = (Date.now() - element.dataset.ago) / 1000;
  return s < 5 ? "just now" : `${span(s)} ago`;
};

/** A relative time, exact on hovering, that stays true while the page is open. */
export function since(ms, form = "ago") {
  const element = h("time", { datetime: new Date(ms).toISOString(), title: withZone(ms), "data-ago": ms, "data-form": form });
  element.textContent = form === "span" ? span((Date.now() - ms) / 1000) : agoText(element);
  return element;
}
