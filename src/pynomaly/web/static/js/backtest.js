// What an alert would have done on the stored history: how often, when, and with other values.

import { h, svg } from "./dom.js";
import { absolute, exact, format, parseSpan, span, withZone, zone } from "./format.js";
import { Happened } from "./happened.js";
import { labelText } from "./list.js";
import { written } from "./rulestate.js";
import { remember } from "./state.js";

const RANGES = [["1d", "1 day"], ["7d", "7 days"], ["14d", "14 days"], ["30d", "30 days"], ["90d", "90 days"]];
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MOST_EVENTS = 200;
const WIDTH = 1000;

const numbers = (text) => text.split(/[\s,;]+/).filter(Boolean).map(Number);
const spans = (text) => text.split(/[\s,;]+/).filter(Boolean).map((each) => (each === "0" ? 0 : parseSpan(each)));

export class Backtest {
  constructor(rule) {
    this.rule = rule;
    const query = new URLSearchParams(location.search);
    const field = (name, label, value, hint) => h("label", {}, label, h("input", { name, value, placeholder: hint, autocomplete: "off", spellcheck: "false" }));
    const chosen = query.get("past") ?? "7d";
    this.button = h("button.primary", { type: "submit" }, "Try it");
    this.form = h("form.toolbar", { "aria-label": "Backtest", onsubmit: (event) => { event.preventDefault(); this.run(); } },
      h("label", {}, "Over the last", h("select", { name: "past" }, RANGES.map(([value, text]) => h("option", { value, selected: value === chosen }, text)))),
      rule.drawn.threshold === null ? null : field("thresholds", `Thresholds besides ${rule.drawn.op} ${rule.drawn.threshold}`, query.get("thresholds") ?? "", "none"),
      field("fors", `“for” besides ${written(rule.for)}`, query.get("fors") ?? "", "none, or 1m, 5m"), this.button);
    this.status = h("p.note", { role: "status", hidden: true });
    this.result = h("div.result");
    this.element = h("div.panel.backtest", {}, h("header", {}, h("h2", {}, "What it would have done")), this.form, this.status, this.result);
    if (query.has("past")) this.run();
  }

  #say(text, bad = false) {
    this.status.hidden = !text;
    this.status.className = bad ? "error" : "note";
    this.status.replaceChildren(text);
  }

  #read() {
    const value = (name) => this.form.elements[name]?.value ?? "";
    const thresholds = numbers(value("thresholds"));
    const holds = spans(value("fors"));
    if (thresholds.some((v) => !Number.isFinite(v))) throw new Error("Thresholds are numbers, with commas between.");
    if (holds.some((v) => v === null || v === undefined)) throw new Error("“for” takes times such as 30s, 5m or 1h, with commas between.");
    remember({ past: value("past"), thresholds: value("thresholds") || null, fors: value("fors") || null });
    const end = Math.floor(Date.now() / 1000);
    // The rule as it is stands among the others, to compare with.
    if (thresholds.length) thresholds.push(this.rule.drawn.threshold);
    if (holds.length) holds.push(this.rule.for);
    return { id: this.rule.id, start: end - parseSpan(value("past")), end, thresholds: [...new Set(thresholds)], holds: [...new Set(holds)], timezone: zone };
  }

  async run() {
    let spec;
    try {
      spec = this.#read();
    } catch (error) {
      return this.#say(error.message, true);
    }
    this.button.disabled = true;
    const began = Date.now();
    const tell = () => this.#say(`Evaluating ${span(spec.end - spec.start)} of history … ${Math.round((Date.now() - began) / 1000)} s`);
    tell();
    const timer = setInterval(tell, 1000);
    try {
      const response = await fetch("/data/backtest", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(spec) });
      const data = await response.json();
      if (!response.ok) this.#say(data.error ?? "The server failed.", true);
      else this.#show(data);
    } catch {
      this.#say("The server cannot be reached; try again when it answers.", true);
    } finally {
      clearInterval(timer);
      this.button.disabled = false;
    }
    return undefined;
  }

  #show(data) {
    const report = data.rules[0];
    this.#say("");
    if (!report) return this.#say("The rule gave nothing to report.", true);
    this.result.replaceChildren(
      h("p.verdict", {}, h("strong", {}, report.fired === 1 ? "1 alert" : `${report.fired} alerts`), ` in ${span(data.end - data.start)}`,
        report.fired ? `, ${format(report.per_week)} a week, firing for ${span(report.firing_seconds)} in all` : "",
        report.pending_only ? `; ${report.pending_only} went away before “for” had passed` : "",
        h("span.muted", {}, ` · ${report.evaluations.toLocaleString()} evaluations in ${format(data.took, "s")}`)),
      ...data.notes.map((text) => h("p.note.warning", {}, text)),
      report.failures ? h("p.note.warning", {}, `${report.failures.count} evaluations failed: ${report.failures.message}`) : "",
      report.fired ? timeline(report, data) : "",
      data.sweep ? sweep(data.sweep) : "",
      report.fired ? h("div.columns.two", {}, hours(report), events(report, this.rule)) : "");
    this.result.dataset.done = "true";
    return undefined;
  }
}

/** A lane for each alert, with a bar for each time that it fired. */
function timeline(report, { start, end, happened: events }) {
  const lanes = [...Map.groupBy(report.events, (event) => JSON.stringify(event.labels))].slice(0, 12);
  const x = (at) => ((at - start) / (end - start)) * WIDTH;
  const height = lanes.length * 14;
  const bars = lanes.flatMap(([, those], lane) => those.flatMap((event) => [
    svg("rect", { x: x(event.pending_at), y: lane * 14 + 5, width: Math.max(1, x(event.fired_at) - x(event.pending_at)), height: 4, class: "pending" }),
    svg("rect", { x: x(event.fired_at), y: lane * 14 + 2, width: Math.max(2, x(event.ended_at ?? end) - x(event.fired_at)), height: 10, class: "fired" }),
  ]));
  const hidden = new Set(report.events.map((event) => JSON.stringify(event.labels))).size - lanes.length;
  const happened = new Happened("When it would have fired", { x: (at) => ((at / 1000 - start) / (end - start)) * drawn.clientWidth, span: () => [start * 1000, end * 1000] });
  const drawn = h("div.drawn", {}, svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `When it would have fired: ${report.fired} times between ${absolute(start * 1000)} and ${absolute(end * 1000)}; the table below lists them.`, style: `height: ${height}px` }, ...bars), happened.layer);
  happened.show(events);
  new ResizeObserver(() => happened.place()).observe(drawn);
  return h("figure.timeline", {}, drawn,
    h("figcaption", {}, h("span", {}, absolute(start * 1000).slice(0, 16)), hidden > 0 ? h("span", {}, `${hidden} further label sets are not drawn`) : null, happened.button, h("span", {}, absolute(end * 1000).slice(0, 16))), happened.list);
}

function hours(report) {
  const most = Math.max(1, ...report.hours.flat());
  const cell = (count, day, hour) => h("td.heat", { title: `${DAYS[day]} ${hour}:00: ${count}`, style: { "--share": `${Math.round((count / most) * 40)}%` } }, count ? String(count) : "");
  return h("section", {}, h("h3", {}, `At what hours (${zone})`),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Alerts by day and hour" }, h("table.compact.heatmap", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Day"), ...Array.from({ length: 24 }, (_, hour) => h("th", {}, String(hour))))),
      h("tbody", {}, report.hours.map((row, day) => h("tr", {}, h("th", { scope: "row" }, DAYS[day]), row.map((count, hour) => cell(count, day, hour))))))),
    h("h3", {}, "By week"),
    h("table.compact", {}, h("tbody", {}, report.weeks.map((week) => h("tr", {}, h("td", {}, `from ${absolute(week.start * 1000).slice(0, 10)}`), h("td.num", {}, String(week.fired)))))));
}

function events(report, rule) {
  const told = (labels) => Object.fromEntries(Object.entries(labels).filter(([name]) => name !== "alertname" && !(name in rule.labels)));
  const shown = report.events.slice(-MOST_EVENTS).reverse();
  const rows = shown.map((event) => h("tr", {},
    h("td", { title: withZone(event.fired_at * 1000) }, absolute(event.fired_at * 1000).slice(0, 16)),
    h("td.num", {}, event.ended_at === null ? "still fires" : span(event.ended_at - event.fired_at)),
    h("td.num", { title: exact(event.peak) }, event.peak === null ? "–" : format(event.peak)), h("td", {}, labelText(told(event.labels)))));
  return h("section", {}, h("h3", {}, report.fired > shown.length ? `The newest ${shown.length} of ${report.fired} alerts` : "Its alerts"),
    h("div.scroll.tallest", { tabindex: "0", role: "region", "aria-label": "Alerts that would have fired" }, h("table.compact", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Fired"), h("th.num", {}, "Lasted"), h("th.num", {}, "Peak"), h("th", {}, "Labels"))), h("tbody", {}, rows))));
}

/** Other thresholds and other “for”: how many alerts each, as a plot and as a table. */
function sweep({ rows: found, threshold }) {
  const rows = found.toSorted((a, b) => a.threshold - b.threshold || a.for - b.for);
  const head = [...(threshold ? ["Threshold"] : []), "For"];
  const table = h("table.compact", {}, h("thead", {}, h("tr", {}, ...head.map((text) => h("th.num", {}, text)), ...["Alerts", "A week", "Label sets", "Too short", "Firing"].map((text) => h("th.num", {}, text)))),
    h("tbody", {}, rows.map((row) => h("tr", row.as_given ? { "data-given": true } : {},
      threshold ? h("td.num", {}, row.threshold === null ? "–" : String(row.threshold)) : null, h("td.num", {}, written(row.for)),
      h("td.num", {}, h("strong", {}, String(row.fired)), row.as_given ? h("span.muted", {}, " as it is") : ""), h("td.num", {}, format(row.per_week)), h("td.num", {}, String(row.series)),
      h("td.num", {}, String(row.pending_only)), h("td.num", {}, row.firing_seconds ? span(row.firing_seconds) : "–")))));
  return h("div.columns.two", {}, h("section", {}, h("h3", {}, "With other values"), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Sweep" }, table)), plot(rows, threshold));
}

function plot(rows, threshold) {
  const along = threshold ? "threshold" : "for";
  const across = threshold ? "for" : "threshold";
  const lines = [...Map.groupBy(rows, (row) => row[across])].sort(([a], [b]) => a - b);
  const xs = [...new Set(rows.map((row) => row[along]))].sort((a, b) => a - b);
  const most = Math.max(1, ...rows.map((row) => row.fired));
  const [width, height, left, bottom] = [480, 220, 40, 24];
  const x = (value) => left + (xs.length > 1 ? xs.indexOf(value) / (xs.length - 1) : 0.5) * (width - left - 16);
  const y = (value) => 10 + (1 - value / most) * (height - bottom - 10);
  const name = (value) => (along === "for" ? written(value) : String(value));
  const text = (at, attributes) => svg("text", attributes, document.createTextNode(at));
  const drawn = lines.flatMap(([, those], i) => {
    const points = those.toSorted((a, b) => a[along] - b[along]);
    return [svg("polyline", { points: points.map((row) => `${x(row[along])},${y(row.fired)}`).join(" "), class: `line s${i % 8}` }),
      ...points.map((row) => svg("circle", { cx: x(row[along]), cy: y(row.fired), r: row.as_given ? 4.5 : 3, class: `dot s${i % 8}` }))];
  });
  const legend = lines.length > 1 ? h("figcaption", {}, lines.map(([value], i) => h(`span.key.s${i % 8}`, {}, across === "for" ? `for ${written(value)}` : `threshold ${value}`))) : null;
  return h("figure.sweep", {}, h("h3", {}, along === "for" ? "Alerts by “for”" : "Alerts by threshold"),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Alerts by ${along}; the table beside it has the numbers.` },
      ...[0, most].map((value) => svg("line", { x1: left, x2: width - 16, y1: y(value), y2: y(value), class: "grid" })),
      ...[0, most].map((value) => text(String(value), { x: left - 6, y: y(value) + 4, "text-anchor": "end" })),
      ...xs.map((value) => text(name(value), { x: x(value), y: height - 6, "text-anchor": "middle" })), ...drawn), legend);
}
