// Which rules tell often and in vain, what a change would save, and the suppression rules.

import { $, boot, h, icon, setText, status, toast } from "./dom.js";
import { severityMark } from "./alertstate.js";
import { ask, post } from "./ask.js";
import { parseSpan, span } from "./format.js";
import { answer, startFrame } from "./frame.js";
import { List, segmented } from "./list.js";
import { address, remember } from "./state.js";

startFrame();

const query = new URLSearchParams(location.search);
const OVER = ["1d", "7d", "30d", "90d"];
const filter = { over: OVER.includes(query.get("over")) ? query.get("over") : "30d", vain: query.get("vain") ?? "", text: query.get("find") ?? "" };
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let report = null;
let asked = 0;

const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);
const many = (number, one, several = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
const vain = (rule) => rule.never_acted_on;
const bestOf = (rule) => rule.suggestions[0];

const row = (rule) => [
  vain(rule) ? status("warning", "in vain") : rule.notifications ? status("info", "acted on") : h("span.status.muted", {}, "told nothing"),
  h("strong", { title: rule.name }, rule.name),
  h("span.wide", {}, bestOf(rule)?.text ?? h("span.muted", {}, "Nothing to propose.")),
  h("span.num", { title: "Firings" }, rule.firings.toLocaleString("en")),
  h("span.num", { title: `Notifications; ${rule.unacted_notifications} of them nobody acted on` }, rule.notifications.toLocaleString("en")),
  h("span.num", { title: "Share of firings that somebody acknowledged or silenced" }, percent(rule.acted_share)),
];

/** Firings by the hour of the day, as bars with their numbers for those who cannot see them. */
function clock(rule) {
  const most = Math.max(...rule.by_hour, 1);
  const says = rule.by_hour.map((number, hour) => [number, hour]).filter(([number]) => number).map(([number, hour]) => `${hour}:00: ${number}`).join(", ");
  return h("div.hours", { role: "img", "aria-label": `Firings by the hour of the day. ${says}` }, rule.by_hour.map((number, hour) => h("span", { title: `${String(hour).padStart(2, "0")}:00 to ${String(hour + 1).padStart(2, "0")}:00: ${many(number, "firing")}` }, h("i", { style: { height: `${(number / most) * 100}%` } }), h("b", {}, hour % 6 ? "" : String(hour)))));
}

function suggestion(rule, each) {
  const label = { for: "Longer for", suppress: "Suppress", remove: "Remove" }[each.kind];
  const use = each.kind === "suppress" ? h("button.button", { type: "button", onclick: (event) => act(event.target, () => post("/data/suppression-rules", { name: `${rule.name} once an hour`, conditions: each.conditions }), `Suppression rule for ${rule.name}`) }, "Add this rule") : null;
  return h("li", {}, h("strong", {}, label), h("span", {}, each.text), use);
}

function detail(rule) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  return h("div.detail", {}, h("dl", {},
    term("Severity", severityMark(rule.severity)),
    term("Firings", `${many(rule.firings, "firing")}${rule.still_firing ? `, ${rule.still_firing} still` : ""}; half of them lasted no longer than ${rule.median_seconds === null ? "is known" : span(rule.median_seconds)}; ${percent(rule.resolved_within_5m_share)} were over within 5 min`),
    term("Again", `${many(rule.again_within_1h, "firing")} within an hour of one before, ${rule.flapping} while it flapped`),
    term("Acted on", `${percent(rule.acknowledged_share)} acknowledged, ${percent(rule.silenced_share)} silenced`),
    term("Notifications", `${many(rule.notifications, "notification")}, ${rule.unacted_notifications.toLocaleString("en")} of firings that nobody acted on`),
    term("Told", rule.receivers.length ? h("ul.plain", {}, rule.receivers.map((each) => h("li", {}, h("strong", {}, each.receiver), ` ${many(each.notifications, "time")}, ${each.repeats} of them repetitions`))) : "nobody"),
    term("When", clock(rule)),
    rule.suggestions.length ? term("What would help", h("ul.plain.suggestions", {}, rule.suggestions.map((each) => suggestion(rule, each)))) : []),
  h("div.links", {}, h("a.button", { href: address("/rules", { find: rule.name }) }, "Its rule"), h("a.button", { href: address("/alerts", { find: rule.name }) }, "Its alerts"), h("a.button", { href: address("/deliveries", { find: rule.name }) }, "Its deliveries")));
}

async function act(button, work, done) {
  button.disabled = true;
  try {
    await work();
    toast(done);
    await load();
  } catch (error) {
    toast(error.message);
  }
  button.disabled = false;
}

const empty = (filtered) => (filtered ? [h("strong", {}, "No rule matches"), h("span", {}, `${report.rules.length} are hidden by the filter.`)]
  : [h("strong.good", {}, icon("s-good", "shape"), " Nothing fired"), h("span", {}, boot.alerting ? `No alert fired in the last ${span(parseSpan(filter.over))}.` : "This server routes no alerts.")]);

const list = new List($("#list"), { grid: "noise-grid", head: ["Told", "Rule", "What would help", "Firings", "Notifications", "Acted on"], words: 3, row, detail, empty });
const counter = h("span.end");

function facts() {
  const fact = (value, text) => h("div", {}, h("strong", {}, value), h("span.muted", {}, text));
  $("#facts").replaceChildren(report.firings ? h("div.panel.numbers", {}, fact(report.firings.toLocaleString("en"), "firings"), fact(report.notifications.toLocaleString("en"), "notifications"),
    fact(report.unacted_notifications.toLocaleString("en"), "of firings nobody acted on"), fact(percent(report.acted_share), "of firings acted on"), fact(String(report.rules_in_vain), "rules nobody ever acted on")) : "");
}

const inWords = ({ conditions: c }) => `${c.max_alerts_in_window} in ${span(c.time_window)} for each ${c.by.includes("...") ? "alert" : c.by.join(", ")}${c.matchers.length ? `, of ${c.matchers.join(", ")}` : ""}`;

function drawSuppression(rules) {
  const line = (rule) => h("li", {}, h("div.row", {}, h("span.what", {}, rule.name), h("span.why", {}, h("code", {}, inWords(rule))),
    h("span.when", {}, rule.source === "file" ? "of the configuration" : `by ${rule.by || "unknown"}`),
    rule.source === "file" ? null : h("button.button", { type: "button", "aria-label": `Remove ${rule.name}`, onclick: (event) => act(event.target, () => post("/data/suppression-rules/remove", { name: rule.name }), `${rule.name} is removed`) }, "Remove")));
  $("#suppression").replaceChildren(...(rules.length ? [h("h2.over-list", {}, "Suppression rules"), h("ul.rows", {}, rules.map(line))] : []));
}

function draw() {
  const { rules, rules_in_vain: inVain, unacted_notifications: unacted, firings } = report;
  if (!firings) answer("good", "Nothing fired");
  else if (inVain) answer("warning", `${many(inVain, "rule")} told in vain; ${many(unacted, "notification")} nobody acted on`);
  else answer("good", `No rule tells only in vain; ${many(unacted, "notification")} nobody acted on`);
  const words = filter.text.toLowerCase().split(/\s+/);
  const shown = rules.filter((rule) => (!filter.vain || vain(rule)) && words.every((word) => `${rule.name} ${rule.severity} ${rule.receivers.map((each) => each.receiver).join(" ")}`.toLowerCase().includes(word)));
  list.show(shown.map((rule) => ({ id: rule.name, key: JSON.stringify(rule), data: rule })), shown.length < rules.length);
  setText(counter, `${shown.length} of ${rules.length + report.rules_left_out} rules`);
  facts();
  drawSuppression(report.suppression_rules);
}

async function load() {
  if (!boot.alerting) {
    report = { rules: [], firings: 0, rules_left_out: 0, suppression_rules: [] };
    draw();
    return;
  }
  const mine = ++asked;
  const to = Date.now() / 1000;
  try {
    const data = await ask(`/data/noise?${new URLSearchParams({ since: to - parseSpan(filter.over), until: to, timezone: zone })}`);
    if (mine !== asked) return;
    report = data;
    draw();
  } catch (error) {
    if (mine !== asked) return;
    answer("unknown", "Not known");
    if (!report) $("#list").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "The report cannot be read"), h("span", {}, error.message)));
  }
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: (name === "over" && value === "30d" ? "" : value) || null });
  if (name === "over") load();
  else if (report) draw();
}

$("#filters").replaceChildren(
  segmented("Over the last", OVER.map((over) => [over, span(parseSpan(over))]), filter.over, (v) => change("over", v)),
  segmented("Rules", [["", "All"], ["yes", "Never acted on"]], filter.vain, (v) => change("vain", v)),
  h("input", { type: "search", placeholder: "Filter by rule, severity, receiver  (/)", "aria-label": "Filter rules", "data-filter": "", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);
load();
