// The anomalies: those that last, and those of the range; why, and what people say of them.

import { $, boot, h, icon, setText, status, toast } from "./dom.js";
import { ask, post } from "./ask.js";
import { openRule, RuleList } from "./anomalyrules.js";
import { Chart } from "./chart.js";
import { exact, format, span, unitOf, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { List, labelText, segmented } from "./list.js";
import { watch } from "./live.js";
import { besides, members, standing } from "./moved.js";
import { RateMap } from "./rate.js";
import { address, bounds, moving, on, remember, setRange, state } from "./state.js";

const HOUR = 3_600_000;
const LEAST_PAUSE = 3000; // between two readings of the list
const EVERY = 60_000; // the range moves on, and what ended long ago leaves it
const SHAPE = { critical: "critical", high: "critical", warning: "warning" };
const ORDER = ["critical", "high", "warning"];
const BAND = { expected: 1, lower: 2, upper: 3 };
const MISSING = new Set(["series_stopped", "source_stopped", "target_down", "lost_samples", "no_traffic"]); // what does not come has no band
const ALL = "\u0000"; // every service; the empty one has anomalies of its own

startFrame();

const query = new URLSearchParams(location.search);
const filter = { state: query.get("state") ?? "", severity: query.get("severity") ?? "", service: query.get("service") ?? ALL, text: query.get("find") ?? "" };
const toggled = new Set(query.getAll("turned"));
let found = null; // the anomalies of the range, or null before they are known
let cut = false;
let progress = boot.anomalies;

const series = ({ metric_name: name, labels }) => {
  const { __name__: _, ...others } = labels;
  return h("span.wide", { title: Object.entries(others).map(([n, v]) => `${n}=${v}`).join("\n") }, h("strong", {}, name), " ", labelText(others));
};
/** Several series that moved together, as one row. */
const several = ({ members: those, shared_labels: shared }) => {
  const names = [...new Set(those.map((each) => each.metric_name))];
  const { __name__: _, ...others } = shared;
  return h("span.wide", { title: names.join("\n") }, h("strong", {}, `${those.length} series`), ` ${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""} `, labelText(others));
};
const severityMark = (severity) => status(SHAPE[severity], severity);
const stateMark = ({ feedback, ended_at: ended, told }) => (feedback === "false" ? status("silenced", "false alarm") : !told ? h("span.status.silenced", { title: "Kept, but not told: the budget of its service is spent" }, icon("s-silenced", "shape"), "not told") : ended ? status("unknown", "over") : h("span.status.warning", {}, icon("s-live", "shape"), "lasts"));
const saidMark = ({ feedback }) => (feedback === "real" ? h("span.said", {}, " · marked as real") : "");
const serviceName = (service) => service || "no service";

/* Rows */

function row(item) {
  if (item.anomalies) return groupRow(item);
  return [severityMark(item.severity), stateMark(item), item.members.length ? several(item) : series(item), h("span.wide.muted", { title: item.explanation }, item.explanation, saidMark(item)),
    h("span.num", { title: exact(item.score) }, item.score.toFixed(2)), h("span.muted.num", {}, since(item.started_at * 1000))];
}

function groupRow({ service, anomalies, expanded }) {
  const counts = ORDER.map((severity) => [severity, anomalies.filter((a) => a.severity === severity).length]).filter(([, count]) => count);
  const lasting = anomalies.filter((a) => !a.ended_at).length;
  const newest = Math.max(...anomalies.map((a) => a.started_at));
  return [severityMark(counts[0][0]), h("span.muted", {}, lasting ? `${lasting} ${lasting === 1 ? "lasts" : "last"}` : "all over"),
    h("span.wide", {}, h("strong", {}, icon(expanded ? "i-open" : "i-closed", "turn"), serviceName(service))), h("span.wide.muted", {}, counts.map(([severity, count]) => `${count} ${severity}`).join(", ")),
    h("span.num", {}, String(anomalies.length)), h("span.muted.num", {}, since(newest * 1000))];
}

/* What opens below a row: facts and buttons of the newest state, chart and company asked for once. */

const asked = new Map(); // id → { chart, company, count }

function asides(anomaly) {
  let known = asked.get(anomaly.id);
  if (known?.count !== anomaly.members.length) {
    known = { chart: h("div.alert-chart", {}, h("div.panel.skeleton", { "aria-hidden": "true" })), company: h("div.company", {}, h("p.muted", {}, "…")), count: anomaly.members.length };
    asked.set(anomaly.id, known);
    (anomaly.members.length ? fillTogether : fill)(anomaly, known);
  }
  return known;
}

function drawInto(place, anomaly, why) {
  const drawn = new Chart(`anomaly-${anomaly.id}`, { queries: why.chart.queries, unit: unitOf(why.chart.queries[0].expr), marks: false },
    { title: anomaly.metric_name, href: address("/explore", { q: why.chart.queries.map((q) => q.expr) }), band: BAND, events: [{ at: anomaly.started_at * 1000, label: "begins" }] });
  place.replaceChildren(drawn.element);
  drawn.load();
}

/** The chart of one series, to be put in place at once and drawn when it is known. */
function chartOf(anomaly) {
  const place = h("div.alert-chart", {}, h("div.panel.skeleton", { "aria-hidden": "true" }));
  ask(`/data/anomalies/${encodeURIComponent(anomaly.id)}`).then((why) => drawInto(place, anomaly, why),
    (error) => place.replaceChildren(h("div.panel", {}, h("p.note", {}, `No chart. ${error.message}`))));
  return place;
}

/** What several series have in common, and each of them. */
async function fillTogether(event, { chart, company }) {
  try {
    const why = await ask(`/data/anomalies/${encodeURIComponent(event.id)}/together`);
    chart.replaceChildren(members(why.members, why.shared_labels, { mark: (each) => severityMark(each.severity), chart: chartOf }));
    company.replaceChildren(h("h3", {}, "Which labels stand out"), ...standing(why.standing_out), ...companyOf(why));
  } catch (error) {
    asked.delete(event.id);
    chart.replaceChildren(h("div.panel", {}, h("p.note", {}, `No charts. ${error.message}`)));
    company.replaceChildren();
  }
}

async function fill(anomaly, { chart, company }) {
  try {
    const why = await ask(`/data/anomalies/${encodeURIComponent(anomaly.id)}`);
    drawInto(chart, anomaly, why);
    company.replaceChildren(...companyOf(why));
  } catch (error) {
    asked.delete(anomaly.id);
    chart.replaceChildren(h("div.panel", {}, h("p.note", {}, `No chart. ${error.message}`)));
    company.replaceChildren();
  }
}

/** Where an anomaly is shown among those of its time. */
function placeOf({ event: id, started_at: at, ended_at: ended }) {
  const from = at * 1000 - HOUR / 2;
  return `/anomalies?${new URLSearchParams({ open: id, from: Math.round(from), to: Math.round(Math.min(Date.now(), Math.max((ended ?? at) * 1000, at * 1000 + HOUR / 2)) + 60_000) })}`;
}

function companyOf({ related, previous, alike }) {
  const others = related.slice(0, 8).map((each) => h("li", {}, severityMark(each.severity), h("a", { href: placeOf(each), title: each.explanation }, each.metric_name), " ", labelText(different(each)),
    h("span.muted.end", {}, apart(each.seconds_after))));
  return [
    h("h3", {}, "What else moved with it"),
    others.length ? h("ul.moved", {}, others) : h("p.muted", {}, "No other anomaly began within ten minutes of it."),
    related.length > others.length ? h("p.muted", {}, `${related.length - others.length} more are less alike.`) : "",
    h("h3", {}, "When it last looked like this"),
    alike ? h("p", {}, alike) : "",
    previous ? h("p", {}, h("a", { href: placeOf(previous) }, since(previous.started_at * 1000)), `: ${previous.explanation}`, previous.feedback === "false" ? " It was a false alarm." : previous.feedback === "real" ? " It was real." : "") : h("p.muted", {}, "Never, as far as anomalies are kept."),
  ];
}

/** The labels of another that tell it apart. */
const different = ({ labels, shared_labels: shared }) => Object.fromEntries(Object.entries(labels).filter(([name]) => name !== "__name__" && !(name in shared)));
const apart = (seconds) => (Math.abs(seconds) < 1 ? "at the same time" : `${span(Math.abs(seconds))} ${seconds < 0 ? "earlier" : "later"}`);

function detail(anomaly) {
  const { chart, company } = asides(anomaly);
  const unit = unitOf(anomaly.metric_name);
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const number = (value) => h("span", { title: exact(value) }, format(value, unit));
  const several = anomaly.members.length > 0;
  const siblings = besides(anomaly, number);
  const facts = h("dl", {},
    term("Why", anomaly.explanation),
    several ? term("Together", anomaly.what) : [],
    MISSING.has(anomaly.cause) ? [] : term(several ? "The rarest, at its peak" : "At its peak", number(anomaly.value), ", expected ", number(anomaly.expected), " (", number(anomaly.lower), " to ", number(anomaly.upper), ")"),
    term("Score", `${anomaly.score.toFixed(2)}, confidence ${format(anomaly.confidence, "ratio")}`),
    siblings ? term("Among its siblings", ...siblings) : [],
    term("Began", withZone(anomaly.started_at * 1000)), anomaly.ended_at ? term("Ended", withZone(anomaly.ended_at * 1000)) : [],
    Object.entries(several ? anomaly.shared_labels : anomaly.labels).filter(([name]) => name !== "__name__").flatMap(([name, value]) => term(name, value)));
  const say = (feedback, text, title) => h("button.button", { type: "button", title, "aria-pressed": String(anomaly.feedback === feedback), onclick: () => judge(anomaly, anomaly.feedback === feedback ? "none" : feedback) }, text);
  const falls = anomaly.direction === "below";
  const rule = () => openRule({ labels: several ? anomaly.shared_labels : anomaly.labels, direction: anomaly.direction, comment: "" });
  const buttons = h("div.links", { role: "group", "aria-label": "Was it real?" },
    say("real", "Real", "It was worth knowing"), say("false", "False alarm", "For 30 days anomalies of this series must be ten times rarer to be told"),
    h("button.button", { type: "button", onclick: rule }, MISSING.has(anomaly.cause) ? "Never tell that this is missing …" : falls ? "Never tell falls of this …" : "Never tell rises of this …"),
    h("button.button", { type: "button", onclick: () => showTime(anomaly) }, icon("i-clock"), "Show its time"));
  return h("div.detail.beside", {}, h("div", {}, facts, buttons, company), chart);
}

async function judge(anomaly, feedback) {
  try {
    const several = anomaly.members.length > 0;
    const judged = await post(`/data/anomalies/${encodeURIComponent(anomaly.id)}/feedback`, { feedback, members: several });
    found = found.map((each) => (each.id === judged.id ? judged : each));
    toast(feedback === "none" ? "Taken back." : feedback === "false" ? `Noted: ${several ? "these series" : "this series"} must be ten times more unusual, for 30 days.` : "Noted: it was real.");
    document.activeElement?.blur?.(); // the detail is written anew
    draw();
    $(`[data-row="${CSS.escape(anomaly.id)}"]`)?.focus();
  } catch (error) {
    toast(error.message);
  }
}

function showTime({ started_at: at, ended_at: ended }) {
  setRange({ from: Math.round(at * 1000 - HOUR), to: Math.round(Math.min(Date.now(), (ended ?? Date.now() / 1000) * 1000 + HOUR / 2)) });
}

/* The list */

function empty(filtered) {
  if (found === null) return [h("span", {}, "…")];
  if (filtered) return [h("strong", {}, "No anomaly matches"), h("span", {}, `${found.length} are hidden by the filter.`)];
  return [h("strong.good", {}, icon("s-good", "shape"), moving() ? " Nothing unusual" : " Nothing unusual at that time"), h("span", {}, learning())];
}

/** How many series are judged, and how many are still learning. */
function learning() {
  const { judged, learning: young } = progress;
  if (!judged && !young) return "No series is judged yet: no samples have arrived, or judging is switched off.";
  const those = `${judged.toLocaleString()} series ${judged === 1 ? "is" : "are"} judged`;
  return young ? `${those}; ${young.toLocaleString()} ${young === 1 ? "is" : "are"} still learning what is usual.` : `${those}, none is still learning.`;
}

const list = new List($("#list"), { grid: "anomaly-grid", head: ["Severity", "State", "Series", "Why", "Score", "Began"], row, detail, empty });
const counter = h("span.end");

function matches(anomaly) {
  if (filter.state === "now" && anomaly.ended_at) return false;
  if (filter.state === "over" && !anomaly.ended_at) return false;
  if (filter.state === "untold" && anomaly.told) return false;
  if (filter.severity && anomaly.severity !== filter.severity) return false;
  if (filter.service !== ALL && ![anomaly, ...anomaly.members].some((each) => each.service === filter.service)) return false;
  const labels = [anomaly, ...anomaly.members].flatMap((each) => Object.entries(each.labels));
  const text = `${labels.map((pair) => pair.join("=")).join(" ")} ${anomaly.severity} ${anomaly.explanation} ${anomaly.feedback ?? ""}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** The gravest first: what lasts before what is over, false alarms last. */
const weight = (a) => [a.feedback === "false" ? 2 : a.told ? 0 : 1, a.ended_at ? 1 : 0, ORDER.indexOf(a.severity), -a.started_at];
function byConsequence(a, b) {
  const [x, y] = [weight(a), weight(b)];
  return x.reduce((order, each, i) => order || each - y[i], 0);
}

function grouped(anomalies) {
  return [...Map.groupBy(anomalies, (a) => a.service)].flatMap(([service, those]) => {
    const id = `service ${service}`;
    const expanded = !toggled.has(id);
    const toggle = () => { if (!toggled.delete(id)) toggled.add(id); remember({ turned: [...toggled].slice(0, 20) }); draw(); };
    const head = { id, grid: "anomaly-grid.group", expanded, toggle, data: { service, anomalies: those, expanded }, key: JSON.stringify([expanded, those.map((a) => [a.id, a.severity, a.ended_at])]) };
    return [head, ...(expanded ? those.map((a) => ({ id: a.id, key: JSON.stringify(a), data: a, grid: "anomaly-grid.member" })) : [])];
  });
}

function headline() {
  const lasting = found.filter((a) => !a.ended_at && a.told && a.feedback !== "false");
  const grave = lasting.filter((a) => a.severity === "critical").length;
  if (lasting.length) answer(grave ? "critical" : "warning", `${lasting.length} ${lasting.length === 1 ? "anomaly lasts" : "anomalies last"}${grave ? `, ${grave} critical` : ""}`);
  else if (!progress.judged) answer("unknown", "Not known: no series is judged yet");
  else answer("good", found.length ? "Nothing now" : "Nothing");
}

let opened = query.has("open");

function draw() {
  if (found === null) return;
  headline();
  const shown = found.filter(matches).sort(byConsequence);
  if (!opened && shown.length) {
    opened = true;
    list.open.add(shown[0].id);
  }
  list.show(grouped(shown), shown.length < found.length);
  const all = `${found.length}${cut ? ", the newest of the range" : ""}`;
  setText(counter, shown.length < found.length ? `${shown.length} of ${all}` : `${all} in the range, ${progress.judged.toLocaleString()} series judged`);
  counter.title = learning();
  offerServices();
}

/* Filters */

function change(name, value) {
  filter[name] = value;
  remember({ [name === "text" ? "find" : name]: name === "service" ? (value === ALL ? null : value) : value || null });
  draw();
}

const services = h("select", { "aria-label": "Service", onchange: () => change("service", services.value) });

function offerServices() {
  const names = [...new Set([...found.map((a) => a.service), ...(filter.service === ALL ? [] : [filter.service])])].sort();
  const offered = JSON.stringify([names, filter.service]);
  if (services.dataset.offered === offered || document.activeElement === services) return;
  services.dataset.offered = offered;
  services.replaceChildren(...[ALL, ...names].map((name) => h("option", { value: name, selected: name === filter.service }, name === ALL ? "Every service" : serviceName(name))));
}

$("#filters").replaceChildren(
  segmented("State", [["", "All"], ["now", "Lasting"], ["over", "Over"], ["untold", "Not told"]], filter.state, (v) => change("state", v)),
  segmented("Severity", [["", "Any"], ...ORDER.map((s) => [s, s])], filter.severity, (v) => change("severity", v)),
  services,
  h("input", { type: "search", placeholder: "Filter by series, label, reason  (/)", "aria-label": "Filter anomalies", "data-filter": "", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);

/* The heat map, and what is read from the server */

const map = new RateMap($("#rate"), {
  choose(service, hour) {
    if (service !== undefined) change("service", service);
    setRange({ from: hour, to: hour + HOUR });
  },
  chosen: () => (moving() || filter.service === ALL || state.range.to - state.range.from !== HOUR ? null : [filter.service, state.range.from]),
});

let reading = false;
let again = false;
let readAt = 0;
let waiting = 0;

async function read() {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  const [from, to] = bounds();
  try {
    const answered = await ask(`/data/anomalies/list?since=${from / 1000}&until=${to / 1000}`);
    found = answered.anomalies;
    cut = answered.cut;
    draw();
  } catch (error) {
    if (found === null) $("#list").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "Not known"), h("span", {}, error.message)));
  } finally {
    reading = false;
    readAt = Date.now();
  }
  if (again) {
    again = false;
    read();
  }
}

/** Read anew soon, however many changes there are. */
function renew() {
  if (waiting || !state.live) return;
  waiting = setTimeout(() => { waiting = 0; read(); map.load(); }, Math.max(0, readAt + LEAST_PAUSE - Date.now()));
}

new RuleList($("#rules"));
read();
map.load();
watch("anomalies", (data) => {
  const changed = data.changes !== progress.changes;
  progress = data;
  if (changed) renew();
  else draw();
});
on("range", () => { read(); map.draw(); });
on("live", (live) => { if (live) renew(); });
setInterval(() => { if (state.live && moving() && !document.hidden) renew(); }, EVERY);
