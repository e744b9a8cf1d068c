// The silences: what is silenced, until when and by whom.

import { $, askTwice, boot, h, icon, setText, status, toast } from "./dom.js";
import { absolute, span, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { List, segmented } from "./list.js";
import { watch } from "./live.js";
import { endAt, expire, openSilence } from "./silence.js";
import { address, remember } from "./state.js";

const LONGER = [["1 h", 3600], ["4 h", 14_400], ["1 d", 86_400]];

startFrame();

const query = new URLSearchParams(location.search);
const filter = { state: query.get("state") ?? "now", text: query.get("find") ?? "" };
let snapshot = boot.silences;
const asked = query.get("open") ?? ""; // shown whatever the filter says, for somebody came for it

const MARKS = { active: () => status("silenced", "active"), pending: () => h("span.status.info", {}, icon("s-pending", "shape"), "to come"), expired: () => h("span.status.muted", {}, "expired") };

/** When it ends or begins, in the words of a list. */
function when(silence) {
  const now = Date.now() / 1000;
  if (silence.state === "active") return h("span.num", { title: withZone(silence.ends_at * 1000) }, `${span(silence.ends_at - now)} left`);
  if (silence.state === "pending") return h("span.num", { title: withZone(silence.starts_at * 1000) }, `in ${span(silence.starts_at - now)}`);
  return h("span.num.muted", {}, since(silence.ends_at * 1000));
}

const row = (silence) => [
  MARKS[silence.state](), h("code.wide", { title: silence.matchers.join(", ") }, silence.matchers.join(", ")),
  h("span", { title: silence.comment }, silence.comment || h("span.muted", {}, "no comment")), h("span.muted", { title: silence.by }, silence.by || "unknown"),
  h("span.num", { title: "Alerts that it hides now" }, silence.state === "active" ? String(silence.hides) : "–"), when(silence),
];

/** Do it; then the focus is on the row, so that what is open below shows what has become of it. */
async function attempt(id, work) {
  try {
    await work();
  } catch (error) {
    toast(error.message);
  }
  list.items.get(id)?.button.focus();
}

const twice = (id, text, sure, work) => askTwice(text, sure, () => attempt(id, work));

function detail(silence) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const again = { matchers: silence.matchers.join(", "), comment: silence.comment };
  const until = h("input", { type: "datetime-local", "aria-label": "Ends", value: absolute(silence.ends_at * 1000).replace(" ", "T").slice(0, 16) });
  const told = silence.hides === 1 ? "1 alert is told again" : `${silence.hides} alerts are told again`;
  const links = silence.state === "expired" ? [h("button.button", { type: "button", onclick: () => openSilence(again) }, "Silence again")] : [
    ...LONGER.map(([text, seconds]) => h("button.button", { type: "button", onclick: () => attempt(silence.id, () => endAt(silence.id, (silence.ends_at + seconds) * 1000)) }, `${text} longer`)),
    h("form.inline", { onsubmit: (event) => { event.preventDefault(); attempt(silence.id, () => endAt(silence.id, new Date(until.value).getTime())); } }, until, h("button.button", { type: "submit" }, "End then")),
    twice(silence.id, "Expire now", silence.state === "active" ? `Sure? ${told}` : "Sure?", () => expire(silence.id)),
    h("button.button", { type: "button", onclick: () => openSilence(again) }, "Another like it"),
  ];
  return h("div.detail", {}, h("dl", {}, silence.comment ? term("Comment", silence.comment) : [],
    term("Alerts with", silence.matchers.map((text) => h("div", {}, h("code", {}, text)))),
    term("From", withZone(silence.starts_at * 1000)), term("Until", `${withZone(silence.ends_at * 1000)} (${span(silence.ends_at - silence.starts_at)} in all)`),
    term("By", silence.by || "unknown"), term("Changed", withZone(silence.updated_at * 1000)),
    term("Id", h("code", {}, silence.id))),
  h("div.links", {}, silence.hides ? h("a.button", { href: address("/alerts", { state: "held" }) }, `The ${silence.hides === 1 ? "alert" : `${silence.hides} alerts`} that it hides`) : null, links));
}

const empty = (filtered) => (filtered
  ? [h("strong", {}, "No silence matches"), h("span", {}, `${snapshot.silences.length} are hidden by the filter.`)]
  : [h("strong.good", {}, icon("s-good", "shape"), " Nothing is silenced"), h("span", {}, boot.alerting ? "Every alert is told. Silence one on its row among the alerts, or here." : "This server routes no alerts.")]);

const list = new List($("#list"), { grid: "silence-grid", head: ["State", "Alerts with", "Comment", "By", "Hides", "When"], row, detail, empty });
const counter = h("span.end");

function matches(silence) {
  if (filter.state === "now" ? silence.state === "expired" : filter.state && silence.state !== filter.state) return false;
  const text = `${silence.matchers.join(" ")} ${silence.comment} ${silence.by} ${silence.id}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function draw() {
  const { active, pending, silences } = snapshot;
  const hidden = silences.reduce((sum, silence) => sum + silence.hides, 0);
  if (active) answer("plain", `${active} ${active === 1 ? "silence" : "silences"}, hiding ${hidden} ${hidden === 1 ? "alert" : "alerts"} now${pending ? `; ${pending} to come` : ""}`);
  else answer("good", pending ? `Nothing now; ${pending} to come` : "Nothing");
  const shown = silences.filter((silence) => matches(silence) || silence.id === asked);
  list.show(shown.map((data) => ({ id: data.id, key: JSON.stringify([data, data.state === "expired" || when(data).textContent]), data })), silences.length > 0 && (filter.text !== "" || filter.state !== "now"));
  setText(counter, `${shown.length} of ${silences.length}`);
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: (name === "state" && value === "now" ? "" : value) || null });
  draw();
}

$("#filters").replaceChildren(
  segmented("State", [["now", "Now and to come"], ["active", "Active"], ["pending", "To come"], ["expired", "Expired"]], filter.state, (v) => change("state", v)),
  h("input", { type: "search", placeholder: "Filter by label, comment  (/)", "aria-label": "Filter silences", "data-filter": "", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }),
  boot.alerting ? h("button.primary", { type: "button", onclick: () => openSilence() }, "New silence") : null,
  boot.calendar ? h("a.button", { href: address("/calendar", {}) }, icon("i-calendar"), "Calendar") : null, counter);
draw();
watch("silences", (data) => { snapshot = data; draw(); });
setInterval(draw, 15_000);
