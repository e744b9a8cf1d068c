// One alert: who is told of it and why, what holds it back, and what has happened.

import { $, boot, h, icon, setText, status } from "./dom.js";
import { acknowledgeButton } from "./acknowledge.js";
import { alertChart } from "./alertchart.js";
import { noiseMarks, runbookLink, severityMark, stateMark, whyLink } from "./alertstate.js";
import { ask } from "./ask.js";
import { absolute, span, timeOfDay, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { labelText } from "./list.js";
import { watch } from "./live.js";
import { expire, openSilence } from "./silence.js";
import { address, on, state } from "./state.js";
import { attemptRows, outcomeMark } from "./told.js";

const EVERY = 5000;

startFrame();

const { fingerprint } = boot;
let shown = "";
let asking = false;

const time = (at) => h("time", { datetime: new Date(at * 1000).toISOString(), title: withZone(at * 1000) }, absolute(at * 1000).slice(0, 10) === absolute(Date.now()).slice(0, 10) ? timeOfDay(at * 1000) : absolute(at * 1000));
const word = (text) => h("strong", {}, text);

/** `webhook[0]` as people say it. */
const way = (integration) => integration.replace(/\[0\]$/, "").replace(/\[(\d+)\]$/, (_, n) => ` ${Number(n) + 1}`);

/* What holds it back */

function heldBy(held, why) {
  if (held.stage === "silence") return ["It is silenced by ", ...list(held.by.map((id) => silenceLink(id, why))), "."];
  if (held.stage === "inhibit") return ["It is inhibited: while ", h("a", { href: whyLink(held.by[0]) }, why.named[held.by[0]] ?? "another alert"), ` fires, nobody is told (${held.reason.replace(/^.*\((.*)\)$/, "$1")}).`];
  if (held.stage === "maintenance") return ["It is ", h("a", { href: address("/calendar", { open: held.by[0] }) }, inWords(held.reason, why.named)), "."];
  if (held.stage === "suppress") return ["It is suppressed: ", h("a", { href: address("/noise", {}) }, inWords(held.reason, why.named)), "."];
  if (held.stage === "flapping") return [`${inWords(held.reason, why.named).replace(/^it/, "It")}.`];
  return [`It is muted: ${held.reason}.`];
}

const list = (parts) => parts.flatMap((part, i) => (i ? [i === parts.length - 1 ? " and " : ", ", part] : [part]));

function silenceLink(id, why) {
  const known = why.silences[id];
  const text = known?.comment || (known ? known.matchers.join(", ") : `the silence ${id.slice(0, 8)}`);
  return h("span", {}, h("a", { href: address("/silences", { open: id }) }, text), known ? [` (${known.by || "unknown"}, until `, time(known.ends_at), ")"] : "");
}

/* One receiver */

function verdict(path, why) {
  if (path.held) return status("silenced", { silence: "silenced", inhibit: "inhibited", maintenance: "in maintenance", suppress: "suppressed", flapping: "waits until it is calm" }[path.held.stage] ?? "muted");
  if (undelivered(path).length) return status("critical", "not delivered");
  if (path.tellings.some((t) => t.tells)) return status("info", "is told next");
  if (path.tellings.some((t) => t.last?.outcome === "delivered")) return status("good", "told");
  return status("unknown", why.firing ? "told nothing" : "nothing to tell");
}

function card(path, why) {
  const grouping = path.group_by[0] === "..." ? "all labels" : path.group_by.length ? path.group_by.join(", ") : "nothing, so all are told together";
  const step = (name, ...what) => h("li", {}, h("span.step", {}, name), h("div", {}, ...what));
  const matchers = path.matchers.length ? [h("code", {}, path.matchers.join(", "))] : [];
  return h("section.panel.path", { "aria-label": `Receiver ${path.receiver}` },
    h("header", {}, h("h2", {}, path.receiver), h("div.end", {}, verdict(path, why))),
    h("ol.steps", {},
      step("Route", path.matchers.length ? ["It matches ", ...matchers, " and so goes to "] : ["No narrower route takes it, so the default sends it to "], word(path.receiver), ". ",
        h("a", { href: address("/routing", { labels: Object.entries(why.labels).map(([n, v]) => `${n}=${JSON.stringify(v)}`).join(", ") }) }, "See it in the tree")),
      step("Group", `Told together by ${grouping}: `, Object.keys(path.group_labels).length ? labelText(path.group_labels) : "all alerts of this route", `. First after ${span(path.group_wait)}, then looked at every ${span(path.group_interval)}, and repeated after ${span(path.repeat_interval)}. `,
        path.next_at ? ["Next look ", time(path.next_at), "."] : "It is in no group now."),
      step("Held back", path.held ? heldBy(path.held, why) : "Nothing holds it back.",
        path.held?.stage === "silence" ? path.held.by.map((id) => h("button.button", { type: "button", onclick: () => act(() => expire(id)) }, "Expire this silence")) : null),
      ...(path.tellings.length ? path.tellings.map((telling) => step(way(telling.integration), ...tell(telling, path.held))) : [step("Told", "This receiver has no way to be told, so nobody is.")]),
      step("To change it", inWords(path.change, why.named))));
}

const SAYS = {
  "first notification": "It tells of this group for the first time at the next look.",
  "new alerts added": "It tells at the next look, since alerts have joined the group.",
  "some alerts resolved": "It tells at the next look, since some alerts are resolved.",
  "all alerts resolved": "It tells at the next look that all is resolved.",
  "repeat interval elapsed": "It tells again at the next look, since the time to repeat is over.",
};

function tell(telling, held) {
  const { last } = telling;
  const others = held ? " That is of the other alerts of the group." : "";
  const now = telling.tells ? [SAYS[telling.reason] ?? `It tells at the next look: ${telling.reason}.`, others]
    : telling.told_at ? ["It tells nothing now: nothing changed since ", time(telling.told_at), ...(telling.repeats_at ? [". It repeats itself from ", time(telling.repeats_at), " on."] : ["."])] : [`It tells nothing: ${telling.reason}.`];
  if (!last) return [h("p", {}, now)];
  const happened = last.outcome === "delivered" ? "Told" : "Tried to tell";
  return [h("p", {}, `${happened} `, time(last.at), `: ${last.reason} (${counted(last)}). `, outcomeMark(last.outcome)), attemptRows(last.attempts), h("p.muted", {}, now)];
}

const counted = ({ firing, resolved }) => [firing && `${firing} firing`, resolved && `${resolved} resolved`].filter(Boolean).join(", ") || "no alerts";

/** The server's times are of UTC; people read their own. */
const inWords = (text, named) => text.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/g, (utc) => absolute(new Date(utc).getTime()))
  .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "the silence").replace(/The alert ([0-9a-f]{16})/, (all, id) => (named[id] ? `The alert ${named[id]}` : all));

/* The whole */

function facts(why) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const { summary, description, runbook_url: runbook, ...others } = why.annotations;
  const silence = why.firing && !why.paths.some((path) => path.held?.stage === "silence");
  return h("div.panel.facts", {},
    h("dl", {}, term("State", stateMark(why.firing ? "firing" : "resolved"), " ", noiseMarks(why)), term("Severity", severityMark(why.labels.severity)),
      why.acknowledged ? term("Acknowledged", `by ${why.acknowledged.by || "somebody"} `, time(why.acknowledged.at), why.acknowledged.comment ? `: ${why.acknowledged.comment}` : "") : [],
      why.flapping ? term("Flaps", "since ", time(why.flapping.since), `, ${why.flapping.changes} changes; calm at `, time(why.flapping.calm_at), " unless it goes on") : [],
      summary ? term("Summary", summary) : [], description ? term("What it means", description) : [],
      Object.entries(others).flatMap(([name, value]) => term(name, value)), term("Labels", labelText(why.labels)),
      term("Fires since", time(why.starts_at)), why.firing ? (why.ends_unless_sent ? term("Ends", time(why.ends_at), " unless it is sent again") : []) : term("Ended", time(why.ends_at)),
      term("Came from", why.source === "rules" ? "a rule here" : why.source, ", last ", since(why.received_at * 1000))),
    h("div.links", {}, why.firing ? acknowledgeButton(why, load) : null, silence ? h("button.button", { type: "button", onclick: () => openSilence({ labels: why.labels, done: load }) }, icon("i-silences"), "Silence") : null,
      runbookLink(runbook) ? h("a.button", { href: runbookLink(runbook), rel: "noreferrer" }, "Runbook") : null,
      h("a.button", { href: address("/alerts", { open: why.id }) }, "Among the others"), h("a.button", { href: address("/deliveries", { find: why.name }) }, "Its deliveries")));
}

function past(why) {
  const rows = [...why.sent.map((sent) => ({ at: sent.at, receiver: sent.receiver, mark: outcomeMark(sent.outcome), what: h("span", {}, `${sent.outcome === "delivered" ? "Told" : "Tried to tell"} ${way(sent.integration)}: ${sent.reason} (${counted(sent)})`, sent.attempts.length > 1 ? `, ${sent.attempts.length} attempts` : "") })),
    ...why.held_back.map((row) => ({ at: row.at, receiver: row.receiver, mark: row.stage ? status("silenced", "held back") : status("info", "let go"), what: h("span", {}, row.stage ? heldBy(row, why) : "Nothing holds it back any more.") }))]
    .sort((a, b) => b.at - a.at);
  if (!rows.length) return h("div.panel", {}, h("header", {}, h("h2", {}, "What has happened")), h("p.note", {}, "Nobody has been told yet, and nothing has held it back."));
  return h("div.panel", {}, h("header", {}, h("h2", {}, "What has happened")), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "What has happened" }, h("table.past", {},
    h("thead", {}, h("tr", {}, ["When", "Receiver", "Outcome", "What"].map((text) => h("th", {}, text)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("td", {}, time(row.at)), h("td", {}, row.receiver), h("td", {}, row.mark), h("td", {}, row.what)))))));
}

const undelivered = (path) => path.tellings.filter((t) => t.last && t.last.outcome !== "delivered" && t.tells);
const one = (paths, singular, plural) => (new Set(paths.map((path) => path.receiver)).size === 1 ? singular : plural);

function answerOf(why) {
  const names = (paths) => [...new Set(paths.map((path) => path.receiver))].join(", ");
  const held = why.paths.filter((path) => path.held);
  const told = why.paths.filter((path) => path.tellings.some((t) => t.last?.outcome === "delivered"));
  const next = why.paths.filter((path) => !path.held && path.tellings.some((t) => t.tells));
  if (!why.firing) return answer("good", told.length ? `Resolved; ${names(told)} ${one(told, "was", "were")} told` : "Resolved");
  if (held.length === why.paths.length && held.length) return answer("plain", `Nobody is told: ${{ silence: "silenced", inhibit: "inhibited", maintenance: "in maintenance", suppress: "suppressed", flapping: "it flaps" }[held[0].held.stage] ?? "muted"}`);
  const failed = why.paths.filter((path) => undelivered(path).length);
  const says = [
    failed.length && `${names(failed)} could not be told`, told.length && `${names(told)} ${one(told, "was", "were")} told`,
    next.length && !failed.length && `${names(next)} ${one(next, "is", "are")} told${next[0].next_at ? ` at ${timeOfDay(next[0].next_at * 1000)}` : ""}`,
  ].filter(Boolean);
  return says.length ? answer(failed.length || told.length ? "critical" : "warning", says.join("; ")) : answer("unknown", "Nobody was told");
}

async function act(work) {
  try {
    await work();
    await load();
  } catch (error) {
    setText($("#stale"), error.message);
    $("#stale").hidden = false;
  }
}

function draw(why) {
  setText($("h1"), `${why.name || "Alert"}: why?`);
  document.title = `Why ${why.name || "this alert"}? · Pynomaly`;
  answerOf(why);
  const text = JSON.stringify({ ...why, received_at: 0, ends_at: why.firing ? 0 : why.ends_at });
  if (text === shown || $("#paths").contains(document.activeElement) || $("#facts").contains(document.activeElement)) return;
  shown = text;
  $("#facts").replaceChildren(facts(why));
  if (!$("#chart").firstChild && why.firing) $("#chart").replaceChildren(alertChart(fingerprint));
  $("#paths").replaceChildren(...(why.paths.length ? why.paths.map((path) => card(path, why)) : [h("p.note", {}, "No route takes it.")]));
  $("#past").replaceChildren(past(why));
}

function gone(error) {
  answer("unknown", "It is not known");
  $("#chart").replaceChildren();
  $("#paths").replaceChildren();
  $("#facts").replaceChildren(h("div.panel.empty", {}, h("strong", {}, fingerprint ? "This alert is not known" : "No alert is named"),
    h("span", {}, error.message), h("a.button", { href: address("/alerts", {}) }, "All alerts")));
}

async function load() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    draw(await ask(`/data/alerts/${encodeURIComponent(fingerprint)}/why`));
  } catch (error) {
    if (error.status || !shown) gone(error); // else what is shown stands, and the frame says that it is old
  } finally {
    asking = false;
  }
}

if (fingerprint && boot.alerting) {
  load();
  on("alerts", () => { if (shown) load(); });
  watch("silences", () => load());
  watch("events", () => load());
  setInterval(() => { if (state.live) load(); }, EVERY);
} else gone(new Error(boot.alerting ? "Its address names a fingerprint; open one of the alerts." : "This server routes no alerts."));
