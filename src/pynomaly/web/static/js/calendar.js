// The calendar: silences, windows of maintenance and other events, by week or month and as a list.

import { $, askTwice, boot, h, icon, setText, status, toast } from "./dom.js";
import { ask } from "./ask.js";
import { absolute, span, withZone, zone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { kindMark } from "./happened.js";
import { List, segmented } from "./list.js";
import { watch } from "./live.js";
import { deleteEvent, endEvent, openPlan, repeats } from "./plan.js";
import { expire, openSilence } from "./silence.js";
import { address, remember } from "./state.js";
import { dayHeads, later, mondayOf, week } from "./week.js";

const DAY = 86_400_000;
const months = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

startFrame();

const query = new URLSearchParams(location.search);
const filter = { view: query.get("view") === "month" ? "month" : "week", kind: query.get("kind") ?? "", text: query.get("find") ?? "" };
let at = query.get("at") ? new Date(`${query.get("at")}T00:00`) : new Date();
let found = null;
let asked = 0;
let key = "";

/* What is shown */

/** Midnights of the Mondays that are shown, and the one after them. */
function mondays() {
  if (filter.view === "week") return [mondayOf(at), later(mondayOf(at), 7)];
  const first = mondayOf(new Date(at.getFullYear(), at.getMonth(), 1));
  const end = new Date(at.getFullYear(), at.getMonth() + 1, 1);
  const all = [first];
  while (all.at(-1) < end) all.push(later(all.at(-1), 7));
  return all;
}

const wordsOf = (item) => item.matchers.join(", ") || "everything";
const titleOf = (item) => item.title || wordsOf(item);

function barOf(item) {
  const start = item.starts_at * 1000;
  return { id: item.id, kind: item.kind, state: item.state, title: titleOf(item), words: wordsOf(item), start, end: item.ends_at === null ? start + 60_000 : item.ends_at * 1000 };
}

function matches(item) {
  if (filter.kind && item.kind !== filter.kind) return false;
  const text = `${titleOf(item)} ${wordsOf(item)} ${item.created_by} ${item.id} ${item.kind}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

const items = () => (found ? [...found.events, ...found.silences].filter(matches) : []);

/** Things that come again are listed once: as they are now, or when they come next. */
function listed() {
  const order = { active: 0, pending: 1, expired: 2 };
  const byId = Map.groupBy(items(), (item) => item.id);
  const best = [...byId.values()].map((times) => ({ ...times.toSorted((a, b) => order[a.state] - order[b.state] || (a.state === "expired" ? b.starts_at - a.starts_at : a.starts_at - b.starts_at))[0], times: times.length }));
  return best.sort((a, b) => order[a.state] - order[b.state] || (a.state === "expired" ? b.starts_at - a.starts_at : a.starts_at - b.starts_at));
}

/* The list */

const STATES = { active: () => status("live", "now"), pending: () => h("span.status.info", {}, icon("s-pending", "shape"), "to come"), expired: () => h("span.status.muted", {}, "over") };
const markOf = (item) => (item.kind === "silence" ? h("span.kind", {}, icon("s-silenced", "shape"), "silence") : kindMark(item.kind));

function when(item) {
  const now = Date.now() / 1000;
  const ends = item.ends_at ?? item.starts_at;
  if (item.state === "active") return h("span.num", { title: withZone(ends * 1000) }, `${span(ends - now)} left`);
  if (item.state === "pending") return h("span.num", { title: withZone(item.starts_at * 1000) }, `in ${span(item.starts_at - now)}`);
  return h("span.num.muted", {}, since(ends * 1000));
}

const row = (item) => [
  STATES[item.state](), markOf(item), h("span.wide", { title: item.title }, h("strong", {}, titleOf(item))), h("code", { title: wordsOf(item) }, wordsOf(item)),
  h("span.muted", { title: item.created_by }, item.created_by || "unknown"), h("span.num", { title: "Alerts that it holds back now" }, item.state === "active" && item.hides !== undefined && holds(item) ? String(item.hides) : "–"), when(item),
];

const holds = (item) => item.kind === "silence" || item.kind === "maintenance";

async function attempt(id, work) {
  try {
    await work();
    await load();
  } catch (error) {
    toast(error.message);
  }
  list.items.get(id)?.button.focus();
}

const twice = (id, text, sure, work) => askTwice(text, sure, () => attempt(id, work));

function actions(item) {
  const told = item.hides ? (item.hides === 1 ? "1 alert is told again" : `${item.hides} alerts are told again`) : "it ends now";
  if (item.kind === "silence") {
    return [item.state === "expired" ? null : twice(item.id, "Expire now", item.state === "active" ? `Sure? ${told}` : "Sure?", () => expire(item.id)),
      h("a.button", { href: address("/silences", { open: item.id }) }, "Among the silences"),
      h("button.button", { type: "button", onclick: () => openSilence({ matchers: item.matchers.join(", "), comment: item.title, done: load }) }, "Another like it")];
  }
  const again = item.recurrence;
  return [
    item.configured ? null : h("button.button", { type: "button", onclick: () => openPlan({ event: item, done: load }) }, "Change"),
    item.configured || !(item.state === "active" || (again && item.first[0] * 1000 < Date.now())) ? null : twice(item.id, again ? "End it for good" : "End now", again ? "Sure? It does not come again" : `Sure? ${told}`, () => endEvent(item.id)),
    item.configured ? null : twice(item.id, "Delete", "Sure? It is forgotten", () => deleteEvent(item.id)),
    h("button.button", { type: "button", onclick: () => openPlan({ event: item, copy: true, done: load }) }, "Another like it")];
}

function detail(item) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const { recurrence: again } = item;
  return h("div.detail", {}, h("dl", {}, item.text ? term("About", item.text) : [], item.link ? term("More", h("a", { href: item.link, rel: "noreferrer" }, item.link)) : [],
    term(holds(item) ? "Alerts with" : "Concerns", item.matchers.length ? item.matchers.map((text) => h("div", {}, h("code", {}, text))) : "everything"),
    item.ends_at === null ? term("At", withZone(item.starts_at * 1000)) : [...term("From", withZone(item.starts_at * 1000)), ...term("Until", `${withZone(item.ends_at * 1000)} (${span(item.ends_at - item.starts_at)} in all)`)],
    again ? term("Comes again", `${repeats(again.rule)}, by the clocks of ${again.time_zone}${again.until ? `, until ${withZone(again.until * 1000)}` : ""}; ${item.times} ${item.times === 1 ? "time" : "times"} in what is shown`) : [],
    item.learn === false ? term("Detection", `Meanwhile nothing is learnt${item.alarm === false ? ", and no anomaly is told" : ""}.`) : [],
    term("By", item.configured ? "the configuration" : item.created_by || "unknown"), term("Id", h("code", {}, item.id))),
  h("div.links", {}, item.hides ? h("a.button", { href: address("/alerts", { state: "held" }) }, `The ${item.hides === 1 ? "alert" : `${item.hides} alerts`} that it holds back`) : null, actions(item)));
}

const empty = (filtered) => (filtered
  ? [h("strong", {}, "Nothing matches"), h("span", {}, "Other things are hidden by the filter.")]
  : [h("strong.good", {}, icon("s-good", "shape"), " Nothing is planned"), h("span", {}, "Neither a silence nor an event lies in what is shown.")]);

const list = new List($("#list"), { grid: "plan-grid", head: ["State", "Kind", "What", "Concerns", "By", "Hides", "When"], words: 5, row, detail, empty });

/* The calendar */

const title = h("h2", { "aria-live": "polite" });
const sheet = h("div.sheet");
const counter = h("span.end");
const turn = (text, by, symbol) => h("button.icon", { type: "button", title: text, "aria-label": text, onclick: () => go(by) }, icon(symbol));
$("#calendar").replaceChildren(h("section.panel.week", { "aria-label": "Calendar" },
  h("header", {}, title, h("div.end", {}, h("span.zone", {}, zone),
    segmented("View", [["week", "Week"], ["month", "Month"]], filter.view, (view) => { filter.view = view; remember({ view: view === "week" ? null : view }); load(); }),
    turn("Before (←)", -1, "i-left"), h("button.button", { type: "button", onclick: () => go(0) }, "Today"), turn("After (→)", 1, "i-right"))), sheet));

function go(by) {
  if (by === 0) at = new Date();
  else at = filter.view === "week" ? later(mondayOf(at), 7 * by) : new Date(at.getFullYear(), at.getMonth() + by, 1);
  remember({ at: by === 0 ? null : absolute(at.getTime()).slice(0, 10) });
  load();
}

function reveal(id) {
  list.reveal(id);
}

function drawSheet() {
  const all = mondays();
  const weeks = all.slice(0, -1);
  const bars = items().map(barOf);
  const mine = JSON.stringify([filter.view, weeks[0].getTime(), bars, Math.floor(Date.now() / 60_000)]);
  if (mine === key) return;
  key = mine;
  setText(title, filter.view === "month" ? months.format(at) : days.formatRange(weeks[0], later(weeks[0], 6)));
  const focused = document.activeElement?.closest?.(".bar-of")?.getAttribute("aria-label");
  if (filter.view === "week") sheet.replaceChildren(week(weeks[0], bars, { choose: reveal }));
  else {
    const open = (monday) => () => { filter.view = "week"; at = monday; remember({ view: null, at: absolute(at.getTime()).slice(0, 10) }); load(); };
    sheet.replaceChildren(dayHeads(weeks[0]), ...weeks.map((monday) => week(monday, bars, { narrow: true, choose: reveal, more: open(monday) })));
  }
  if (focused) [...sheet.querySelectorAll(".bar-of")].find((bar) => bar.getAttribute("aria-label") === focused)?.focus();
}

function draw() {
  if (!found) return;
  const shown = listed();
  const now = shown.filter((item) => item.state === "active");
  const windows = now.filter(holds).length;
  const next = shown.find((item) => item.state === "pending");
  const soon = next ? `next: ${titleOf(next)} in ${span(next.starts_at - Date.now() / 1000)}` : "nothing to come in what is shown";
  answer("plain", windows ? `${windows} ${windows === 1 ? "silence or window lasts" : "silences and windows last"}, holding back ${found.held} ${found.held === 1 ? "alert" : "alerts"}; ${soon}` : `${soon[0].toUpperCase()}${soon.slice(1)}`);
  list.show(shown.map((data) => ({ id: data.id, key: JSON.stringify([data, data.state === "expired" || when(data).textContent]), data })), filter.text !== "" || filter.kind !== "");
  setText(counter, `${shown.length} in what is shown${found.left_out ? `; ${found.left_out} more times are not` : ""}`);
  drawSheet();
}

async function load() {
  const mine = ++asked;
  const all = mondays();
  try {
    const data = await ask(`/data/calendar?since=${all[0].getTime() / 1000}&until=${all.at(-1).getTime() / 1000}`);
    if (mine !== asked) return;
    found = data;
    draw();
  } catch (error) {
    if (!found) $("#list").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "The calendar cannot be read"), h("span", {}, error.message)));
    else toast(error.message);
  }
}

/* Filters and keys */

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: value || null });
  draw();
}

const KINDS = [["", "Everything"], ["maintenance", "Maintenance"], ["silence", "Silences"], ["deployment", "Deployments"], ["configuration", "Configuration"], ["holiday", "Holidays"], ["other", "Other"]];
const select = h("select", { "aria-label": "Kind", onchange: () => change("kind", select.value) }, KINDS.map(([value, text]) => h("option", { value, selected: value === filter.kind }, text)));

if (boot.calendar) {
  $("#filters").replaceChildren(select,
    h("input", { type: "search", placeholder: "Filter by title, label, person  (/)", "aria-label": "Filter the calendar", "data-filter": "", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }),
    h("button.primary", { type: "button", title: "Plan something (n)", onclick: () => openPlan({ done: load }) }, "New window"), counter);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog")) return;
    const work = { n: () => openPlan({ done: load }), ArrowLeft: () => go(-1), ArrowRight: () => go(1) }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
  load();
  watch("events", load);
  watch("silences", load);
  setInterval(load, 60_000);
  setInterval(draw, 15_000);
} else {
  $("#calendar").replaceChildren();
  answer("unknown", "Not known");
  $("#list").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "There is no calendar"), h("span", {}, "This server routes no alerts.")));
}
