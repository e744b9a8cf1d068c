// Which anomalies would have been told of stored history, at which budget, by which algorithm.

import { $, boot, h, icon, setText, svg } from "./dom.js";
import { absolute, digits, exact, format, parseSpan, span, ticks, unitOf, withZone, zone } from "./format.js";
import { answer, startFrame } from "./frame.js";
import { Happened } from "./happened.js";
import { labelText } from "./list.js";
import { remember } from "./state.js";

const RANGES = [["1d", "1 day"], ["2d", "2 days"], ["7d", "7 days"], ["14d", "14 days"], ["30d", "30 days"]];
const STEPS = [["", "chosen by the range"], ["30s", "30 seconds"], ["1m", "1 minute"], ["5m", "5 minutes"], ["15m", "15 minutes"], ["1h", "1 hour"]];
const LEARN = [["1d", "1 day"], ["2d", "2 days"], ["7d", "7 days"], ["14d", "14 days"], ["30d", "30 days"]];
const NAMES = { judge: "judge of every series", isolation_forest: "isolation forest", dbscan: "DBSCAN", matrix_profile: "matrix profile" };
const [WIDTH, HEIGHT, LANE, LEFT] = [1000, 150, 12, 0];
const MOST_ROWS = 100;

startFrame();

const query = new URLSearchParams(location.search);
const nameOf = (algorithm) => NAMES[algorithm] ?? algorithm;
const metricOf = ({ __name__: name, ...others }) => [name ?? "", labelText(others)];

class Backtest {
  constructor(place) {
    const select = (name, text, rows, chosen) => h("label", {}, text, h("select", { name }, rows.map(([value, label]) => h("option", { value, selected: value === chosen }, label))));
    const by = new Set((query.get("by") ?? "judge").split(","));
    this.button = h("button.primary", { type: "submit" }, "Try it");
    this.stop = h("button.button", { type: "button", hidden: true, onclick: () => this.running?.abort() }, "Stop");
    this.bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "How far the backtest is" });
    this.form = h("form.toolbar", { "aria-label": "Backtest", onsubmit: (event) => { event.preventDefault(); this.run(); } },
      h("label.grow", {}, "Expression", h("input", { name: "query", value: query.get("q") ?? "", placeholder: "rate(http_requests_total[5m])", required: true, autocomplete: "off", spellcheck: "false" })),
      select("from", "Over the last", RANGES, query.get("past") ?? "7d"), select("step", "A point every", STEPS, query.get("step") ?? ""),
      select("learn", "Learning from the", LEARN, query.get("learn") ?? "7d"),
      h("fieldset.choices", {}, h("legend", {}, "By"), boot.detection.algorithms.map((name) => h("label", {}, h("input", { type: "checkbox", name: "by", value: name, checked: by.has(name) }), ` ${nameOf(name)}`))),
      this.button, this.stop, this.bar);
    this.status = h("p.note", { role: "status", hidden: true });
    this.result = h("div.result");
    place.replaceChildren(h("div.panel.backtest", {}, h("header", {}, h("h2", {}, "What would have been flagged")), this.form, this.status, this.result));
    answer("unknown", "Choose an expression and a range");
    if (query.get("q")) this.run();
    else this.form.elements.query.focus();
  }

  #say(text, bad = false) {
    this.status.hidden = !text;
    this.status.className = bad ? "error" : "note";
    setText(this.status, text);
  }

  #read() {
    const value = (name) => this.form.elements[name].value.trim();
    const algorithms = [...this.form.querySelectorAll("input[name=by]:checked")].map((each) => each.value);
    if (!algorithms.length) throw new Error("Choose at least one algorithm.");
    remember({ q: value("query"), past: value("from"), step: value("step") || null, learn: value("learn") === "7d" ? null : value("learn"), by: algorithms.join(",") === "judge" ? null : algorithms.join(",") });
    return { query: value("query"), from: value("from"), step: value("step") || null, learn: value("learn"), algorithms, timezone: zone };
  }

  async run() {
    let spec;
    try {
      spec = this.#read();
    } catch (error) {
      this.#say(error.message, true);
      return;
    }
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    this.#busy(true);
    this.#say(`Reading ${span(parseSpan(spec.from) + parseSpan(spec.learn))} of history …`);
    try {
      this.#show(await this.#ask(spec, controller.signal));
      this.#say("");
    } catch (error) {
      if (this.running === controller) this.#say(controller.signal.aborted ? "Stopped." : error.message, !controller.signal.aborted);
    } finally {
      if (this.running === controller) {
        this.running = null;
        this.#busy(false);
      }
    }
  }

  #busy(busy) {
    this.button.disabled = busy;
    this.stop.hidden = !busy;
    this.bar.hidden = !busy;
    this.bar.value = 0;
  }

  /** The result; until it is there, each line says how far it is. */
  async #ask(spec, signal) {
    const response = await fetch("/data/detection/backtest", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(spec), signal });
    if (!response.ok) throw new Error((await response.json()).error ?? "The server failed.");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      text += value ?? "";
      const lines = text.split("\n");
      text = lines.pop();
      for (const line of lines.map((each) => JSON.parse(each))) {
        if (line.error) throw new Error(line.error);
        if (line.result) return line.result;
        this.bar.value = line.progress;
        this.#say(`Judging … ${Math.round(line.progress * 100)} %`);
      }
      if (done) throw new Error("The server ended before it was done; try again.");
    }
  }

  #show(found) {
    this.found = found;
    const wanted = Number(query.get("budget") ?? 0.1);
    const start = Math.max(0, found.budgets.findIndex((budget) => budget >= wanted));
    this.output = h("output", { for: "budget" });
    this.slider = h("input", { type: "range", id: "budget", min: 0, max: found.budgets.length - 1, step: 1, value: start, oninput: () => this.#choose() });
    this.verdict = h("p.verdict");
    this.table = h("div");
    this.charts = found.series.map((series) => new SeriesChart(series, found));
    const told = `${found.series_count.toLocaleString()} series, ${digits(found.series_weeks)} series-weeks, a point every ${span(found.step)} · judged in ${format(found.took, "s")}`;
    this.result.replaceChildren(
      ...found.notes.map((text) => h("p.note.warning", {}, text)),
      h("div.budget", {}, h("label", { for: "budget" }, "Budget"), this.slider, this.output),
      this.verdict, h("p.muted", {}, told), this.table,
      found.series_count > found.series.length ? h("p.muted", {}, `The ${found.series.length} series with the most are drawn.`) : "",
      ...this.charts.map((chart) => chart.element));
    this.#choose();
    this.result.dataset.done = "true";
  }

  /** What the budget allows: nothing is computed anew. */
  #choose() {
    const { found } = this;
    const at = Number(this.slider.value);
    const budget = found.budgets[at];
    const text = `${budget} a week and series`;
    setText(this.output, text);
    this.slider.setAttribute("aria-valuetext", text);
    remember({ budget: budget === 0.1 ? null : budget });
    const [first] = found.algorithms;
    const count = first?.events[at] ?? 0;
    this.verdict.replaceChildren(h("strong", {}, count === 1 ? "1 anomaly" : `${count.toLocaleString()} anomalies`), ` would have been told${found.algorithms.length > 1 ? ` by the ${nameOf(first.name)}` : ""}, ${digits(first?.events_per_week[at] ?? 0)} a series-week`);
    answer(count ? "warning" : "good", count ? `${count} flagged` : "Nothing flagged");
    const most = Math.max(1, ...found.algorithms.flatMap((each) => each.events));
    this.table.replaceChildren(h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Anomalies by budget" }, h("table.compact.heatmap", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Anomalies at a budget of"), found.budgets.map((each, i) => h("th.num", { "aria-current": i === at ? "true" : null }, String(each))))),
      h("tbody", {}, found.algorithms.map((each, lane) => h("tr", {}, h("th", { scope: "row" }, h("span", {}, h(`span.key.s${lane % 8}`, { "aria-hidden": "true" }), nameOf(each.name))),
        each.events.map((n, i) => h("td.heat", { "data-given": i === at, style: { "--share": `${Math.round((n / most) * 40)}%` } }, String(n)))))))));
    for (const chart of this.charts) chart.choose(at);
  }
}

/** One series with its band; below it a lane for each algorithm with what it flags. */
class SeriesChart {
  constructor(series, found) {
    Object.assign(this, { series, found });
    const [name, labels] = metricOf(series.labels);
    this.title = `${name} ${labels}`.trim() || found.query;
    this.unit = unitOf(name || found.query);
    this.lanes = svg("g");
    this.height = HEIGHT + found.algorithms.length * LANE;
    this.list = h("div.scroll", { tabindex: "0", role: "region", "aria-label": `What is flagged of ${this.title}` });
    this.count = h("span.muted");
    const [low, high] = this.#bounds();
    this.y = (value) => 4 + (1 - (value - low) / (high - low)) * (HEIGHT - 8);
    const marks = ticks(low, high, this.unit, 5);
    this.happened = new Happened(this.title, { x: (at) => ((at / 1000 - found.start) / Math.max(1, found.end - found.start)) * this.drawn.clientWidth, span: () => [found.start * 1000, found.end * 1000] });
    this.element = h("figure.history", {},
      h("h3", {}, h("strong", {}, name || found.query), " ", labels, " ", this.count),
      h("div.plotted", {},
        h("div.axis", { "aria-hidden": "true" }, marks.values.map((value, i) => h("span", { style: { top: `${this.y(value)}px` } }, marks.texts[i]))),
        this.drawn = h("div.drawn", {}, svg("svg", { viewBox: `0 0 ${WIDTH} ${this.height}`, preserveAspectRatio: "none", role: "img", "aria-label": `${this.title} with the band that was expected; the table below lists what is flagged.`, style: `height: ${this.height}px` },
          ...marks.values.map((value) => svg("line", { x1: 0, x2: WIDTH, y1: this.y(value), y2: this.y(value), class: "grid" })),
          ...this.#band(), svg("path", { d: this.#path(series.values), class: "line s0" }), this.lanes), this.happened.layer)),
      h("figcaption", {}, h("span", {}, absolute(found.start * 1000).slice(0, 16)), this.happened.button, h("span", {}, absolute(found.end * 1000).slice(0, 16))),
      h("details", {}, h("summary", {}, "What is flagged, as a table"), this.list), this.happened.list);
    new ResizeObserver(() => this.happened.place()).observe(this.drawn);
    this.happened.load({ series: [series.labels], expr: found.query });
  }

  #bounds() {
    const [first] = this.series.algorithms;
    const values = [...this.series.values, ...(first ? this.#clipped(first) : [])].filter((v) => v !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return high > low ? [low, high] : [low - 1, high + 1];
  }

  /** A band that is far wider than the values does not flatten them. */
  #clipped({ lower, upper }) {
    const known = this.series.values.filter((v) => v !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const far = high - low || Math.abs(high) || 1;
    return [...lower, ...upper].filter((v) => v !== null).map((v) => Math.min(high + far / 4, Math.max(low - far / 4, v)));
  }

  #x(seconds) {
    const { start, end } = this.found;
    return LEFT + ((seconds - start) / Math.max(1, end - start)) * WIDTH;
  }

  #path(values) {
    let pen = "M";
    return values.map((value, i) => {
      if (value === null) { pen = "M"; return ""; }
      const step = `${pen}${this.#x(this.found.times[i]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      pen = "L";
      return step;
    }).join("");
  }

  #band() {
    const [first] = this.series.algorithms;
    if (!first) return [];
    const inside = (value) => Math.min(HEIGHT, Math.max(0, this.y(value))).toFixed(1);
    const parts = [];
    let part = [];
    first.lower.forEach((low, i) => {
      if (low === null || first.upper[i] === null) { if (part.length) parts.push(part); part = []; }
      else part.push(i);
    });
    if (part.length) parts.push(part);
    const x = (i) => this.#x(this.found.times[i]).toFixed(1);
    return parts.map((rows) => svg("polygon", { class: "expected", points: [...rows.map((i) => `${x(i)},${inside(first.upper[i])}`), ...rows.toReversed().map((i) => `${x(i)},${inside(first.lower[i])}`)].join(" ") }));
  }

  choose(at) {
    const all = this.series.algorithms.flatMap(({ name, episodes }, lane) => episodes[at].map((each) => ({ ...each, name, lane })));
    this.lanes.replaceChildren(...all.flatMap(({ start, end, lane }) => {
      const x = this.#x(start);
      const width = Math.max(3, this.#x(end) - x);
      const bar = svg("rect", { x, y: HEIGHT + lane * LANE + 2, width, height: LANE - 4, class: `flagged s${lane % 8}` });
      return lane ? [bar] : [svg("rect", { x, y: 0, width, height: HEIGHT, class: "flag" }), bar];
    }));
    setText(this.count, all.length === 1 ? "1 flagged" : `${all.length} flagged`);
    const rows = all.sort((a, b) => a.start - b.start).slice(0, MOST_ROWS);
    this.list.replaceChildren(rows.length ? h("table.compact", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Began"), h("th.num", {}, "Lasted"), h("th.num", {}, "Value"), h("th.num", {}, "Score"), h("th", {}, "By"))),
      h("tbody", {}, rows.map((each) => h("tr", {}, h("td", { title: withZone(each.start * 1000) }, absolute(each.start * 1000).slice(0, 16)), h("td.num", {}, span(each.end - each.start)),
        h("td.num", { title: exact(each.value) }, format(each.value, this.unit)), h("td.num", {}, each.score.toFixed(2)), h("td", {}, nameOf(each.name)))))) : h("p.muted", {}, icon("s-good", "shape"), " Nothing at this budget."));
  }
}

if (boot.detection.there) new Backtest($("#backtest"));
else $("#backtest").replaceChildren(h("p.note", {}, "This server judges no series."));
