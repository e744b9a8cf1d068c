// A chart: a figure made by the server, drawn by Plotly, continued by deltas, with its own
// legend, crosshair, zoom, table and text.

import { h, icon, setText } from "./dom.js";
import { absolute, exact, format, ticks, timeInRange, timeOfDay, withZone } from "./format.js";
import { Happened } from "./happened.js";
import { hidePanel, resync, showPanel, watch } from "./live.js";
import { inTurn, plotly } from "./plotly.js";
import { address, bounds, emit, moving, on, setRange, state } from "./state.js";
import { rangeText, zoomOut } from "./frame.js";

const MARGIN = { l: 58, r: 12, t: 6, b: 22 };
const ROWS_OF_TABLE = 120;
const LABEL = 96;

// The same series has the same colour on every chart of the page.
const colours = new Map();
let firstDrawn = false;

// Live charts are sent their events; the others are made anew when events have changed.
let eventsVersion;
watch("events", ({ version }) => {
  if (eventsVersion !== undefined && version !== eventsVersion) emit("events-changed");
  eventsVersion = version;
});

function assign(traces) {
  const taken = new Set(traces.map((trace) => colours.get(trace.key)).filter((slot) => slot !== undefined));
  let next = 0;
  for (const trace of traces) {
    let slot = colours.get(trace.key);
    if (slot === undefined || traces.some((other) => other !== trace && other.slot === slot)) {
      while (taken.has(next)) next += 1;
      slot = next;
      taken.add(slot);
      if (!colours.has(trace.key)) colours.set(trace.key, slot);
    }
    trace.slot = slot;
  }
}

const cssVariable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let theme = {};
function readTheme() {
  theme = {
    series: Array.from({ length: 8 }, (_, i) => cssVariable(`--series-${i}`)),
    grid: cssVariable("--grid"), line: cssVariable("--line"), muted: cssVariable("--muted"), critical: cssVariable("--critical"),
  };
}
readTheme();

const DASH = ["solid", "dash", "dot"];
const colourOf = (slot) => theme.series[slot % 8];
const dashOf = (slot) => DASH[Math.floor(slot / 8) % 3];

// Plotly knows no zones: times are shifted so that its UTC reads as the viewer's time.
const toLocal = (ms) => ms - new Date(ms).getTimezoneOffset() * 60_000;

export class Chart {
  /** `spec` as the server takes it, without its range; `title` and `href` are for the heading. */
  constructor(id, spec, { title = "", href = "", tall = false, onMessage = null, band = null, events = [] } = {}) {
    this.id = id;
    this.band = band; // queries that are no lines of their own: { expected, lower, upper }
    this.events = events; // what happened, as { at, label }, beside what the server marks
    this.spec = spec;
    this.tall = tall;
    this.onMessage = onMessage;
    this.traces = [];
    this.times = [];
    this.off = new Set();
    this.visible = !("IntersectionObserver" in window);
    this.element = this.#build(title, href);
    this.#listen();
    if (!this.visible) {
      this.observer = new IntersectionObserver(([entry]) => {
        this.visible = entry.isIntersecting;
        if (this.visible && this.dirty) this.#schedule();
      }, { rootMargin: "200px" });
      this.observer.observe(this.element);
    }
  }

  #build(title, href) {
    this.canvas = h("div.canvas", { "aria-hidden": "true" });
    this.time = h("time");
    this.cross = h("div.cross", { hidden: true }, this.time);
    this.brush = h("div.brush", { hidden: true });
    this.over = h("div.over");
    this.happened = new Happened(title || "Chart", { x: (at) => this.#x(at), span: () => this.#span() });
    this.plot = h("div.plot", {}, this.canvas, this.brush, this.cross, this.over, this.happened.layer);
    this.legend = h(this.tall ? "div.scroll.data" : "div.legend");
    this.summary = h("p.hidden-text");
    this.table = h("div.data", { hidden: true, tabindex: "0", role: "region", "aria-label": `${title || "Chart"}: data` });
    this.problems = h("div");
    this.tableButton = h("button.icon", {
      type: "button", title: "Data as a table", "aria-label": `${title || "Chart"}: data as a table`, "aria-pressed": "false",
      onclick: () => this.#toggleTable(),
    }, icon("i-table"));
    const heading = h("h2", { id: `h-${this.id}`, title }, href ? h("a", { href }, title) : title);
    this.only = h("span.only");
    const header = h("header", {}, title ? heading : null, h("div.end", {}, this.only, this.happened.button, this.tableButton));
    return h(`section.panel${this.tall ? ".tall" : ""}`, title ? { "aria-labelledby": `h-${this.id}` } : { "aria-label": "Chart" },
      header, this.summary, this.problems, this.plot, this.legend, this.happened.list, this.table);
  }

  #listen() {
    on("theme", () => { readTheme(); this.#legend(); this.#schedule(); });
    on("crosshair", (at) => this.#showCross(at));
    on("range", () => this.load());
    on("live", (live) => { if (live) this.load(); });
    on("events-changed", () => { if (!moving()) this.load(); });
    new ResizeObserver(() => this.#schedule()).observe(this.plot);
    const at = (event) => {
      const box = this.plot.getBoundingClientRect();
      const share = (event.clientX - box.left - MARGIN.l) / (box.width - MARGIN.l - MARGIN.r);
      const [from, to] = this.#span();
      return from + Math.min(1, Math.max(0, share)) * (to - from);
    };
    this.plot.addEventListener("pointermove", (event) => {
      emit("crosshair", at(event));
      if (this.zoomFrom !== undefined) this.#showBrush(this.zoomFrom, at(event));
    });
    this.plot.addEventListener("pointerleave", () => emit("crosshair", null));
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      this.zoomFrom = at(event);
      this.plot.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    this.plot.addEventListener("pointerup", (event) => {
      if (this.zoomFrom === undefined) return;
      const [from, to] = [this.zoomFrom, at(event)].sort((a, b) => a - b);
      this.zoomFrom = undefined;
      this.brush.hidden = true;
      const [start, end] = this.#span();
      if (to - from > (end - start) / 100) setRange({ from: Math.round(from), to: Math.round(Math.max(to, from + 5000)) });
    });
    this.plot.addEventListener("dblclick", zoomOut);
  }

  /** Replace what is asked for. */
  ask(spec) {
    this.spec = spec;
    this.off.clear();
    this.load();
  }

  /** The specification with the page's range. */
  request() {
    const range = moving() ? { last: state.range.last } : { start: Math.round(state.range.from), end: Math.round(state.range.to) };
    return { ...this.spec, ...range };
  }

  /** Get it all anew: over the socket when the range moves, else once. */
  async load() {
    if (this.closed) return;
    this.waiting = true;
    hidePanel(this.id);
    if (moving() && state.live) {
      showPanel(this.id, this.request(), (data, at) => this.receive(data, at));
      return;
    }
    this.request_ ??= null;
    this.request_?.abort();
    const mine = (this.request_ = new AbortController());
    try {
      const response = await fetch("/data/panel", {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(this.request()), signal: mine.signal,
      });
      const data = await response.json();
      this.receive(response.ok ? data : { kind: "fault", errors: [{ query: 0, message: data.error ?? "The server failed.", hint: "", position: null }] });
    } catch (error) {
      if (error.name !== "AbortError") this.receive({ kind: "fault", errors: [{ query: 0, message: "The server cannot be reached.", hint: "The chart is loaded when it answers again.", position: null }] });
    }
  }

  receive(data) {
    if (data.kind === "figure") this.#figure(data);
    else if (data.kind === "delta") this.#delta(data);
    else if (data.kind === "events") return this.happened.show(data.events);
    else this.#fault(data);
    return this.onMessage?.(data);
  }

  #figure(data) {
    this.waiting = false;
    const { start, step } = data.grid;
    this.grid = { ...data.grid };
    this.layout = this.#withEvents(data.figure.layout);
    this.unit = this.layout.meta.unit;
    this.stats = data.stats;
    this.times = Array.from({ length: Math.round((data.grid.end - start) / step) + 1 }, (_, i) => start + i * step);
    this.traces = data.figure.data.map((trace) => ({ key: trace.meta.key, name: trace.name, title: trace.meta.title, query: trace.meta.query, y: trace.y }));
    this.edge = data.edge;
    assign(this.traces);
    this.errors = data.errors;
    this.#showProblems(data);
    this.#legend();
    this.#changed();
    this.happened.show(data.events ?? []);
  }

  #delta(data) {
    if (!this.grid || this.waiting) return;
    if (data.after !== this.grid.end || data.edge.y.length !== this.traces.length) {
      this.waiting = true;
      resync();
      return;
    }
    if (data.t.length) {
      this.times.push(...data.t);
      this.traces.forEach((trace, i) => trace.y.push(...data.y[i]));
      this.grid.end = data.t.at(-1);
      const tooOld = this.grid.end - state.range.last * 1000 - this.grid.step;
      const drop = this.times.findIndex((t) => t >= tooOld);
      if (drop > 0) {
        this.times.splice(0, drop);
        for (const trace of this.traces) trace.y.splice(0, drop);
      }
    }
    this.edge = data.edge;
    this.#changed();
  }

  #fault(data) {
    this.waiting = false;
    this.errors = data.errors;
    this.#showProblems({ errors: data.errors, warnings: [] });
    this.#emptiness();
  }

  #showProblems({ errors, warnings }) {
    const boxes = errors.map((error) => errorBox(error, this.spec.queries[error.query]?.expr));
    this.problems.replaceChildren(...(this.onMessage ? [] : boxes), ...warnings.slice(0, 3).map((text) => h("p.note.warning", {}, text)));
  }

  #changed() {
    this.values = this.traces.map((trace) => this.#last(trace));
    this.#emptiness();
    this.#writeValues();
    this.#describe();
    if (!this.table.hidden) this.#fillTable();
    this.#schedule();
  }

  #last(trace) {
    const i = this.traces.indexOf(trace);
    if (this.edge) return this.edge.y[i];
    return trace.y.at(-1);
  }

  #emptiness() {
    const some = this.traces.some((trace) => trace.y.some((v) => v !== null)) || this.edge?.y.some((v) => v !== null);
    this.over.className = "over";
    this.over.replaceChildren();
    if (some) return;
    this.over.classList.add("none");
    if (this.errors?.length) this.over.append(h("strong", {}, "Not drawn"), h("span", {}, "The query failed."));
    else if (!this.grid) this.over.className = "over";
    else this.over.append(h("strong", {}, "No data"), ...this.#why().map((text) => h("span", {}, text)));
    if (this.canvas.data) this.canvas.replaceChildren();
    delete this.canvas.data;
  }

  #why() {
    return moving() ? [`No series in the ${rangeText().toLowerCase()}.`, "A longer range may show when it ended."] : ["No series in this time range."];
  }

  #span() {
    if (!moving() || !this.grid) return bounds();
    const to = Math.max(this.edge?.t ?? 0, this.grid.end);
    return [to - state.range.last * 1000, to];
  }

  #schedule() {
    this.dirty = true;
    if (this.scheduled || !this.visible || !this.traces.length || this.canvas.offsetParent === null) return;
    this.scheduled = true;
    inTurn((Plotly) => this.#draw(Plotly));
    plotly().catch((error) => {
      this.over.className = "over none";
      this.over.replaceChildren(h("strong", {}, "Not drawn"), h("span", {}, error.message));
    });
  }

  async #draw(Plotly) {
    this.scheduled = false;
    if (this.over.classList.contains("none") || !this.traces.length || !this.element.isConnected) return;
    this.dirty = false;
    this.happened.place();
    await Plotly.react(this.canvas, this.#data(), this.#layout(), { staticPlot: true, displayModeBar: false, responsive: false });
    this.#drawn();
  }

  #drawn() {
    this.element.dataset.drawn = String(Number(this.element.dataset.drawn ?? 0) + 1);
    this.element.dataset.newest = this.edge?.t ?? this.grid.end;
    if (!firstDrawn) {
      firstDrawn = true;
      performance.mark("pynomaly:first-chart");
    }
    performance.mark("pynomaly:chart", { detail: { id: this.id, newest: this.edge?.t ?? this.grid.end } });
    if (performance.getEntriesByName("pynomaly:chart").length > 500) performance.clearMarks("pynomaly:chart");
  }

  #data() {
    const live = this.edge && this.edge.t > this.grid.end;
    const x = this.times.map(toLocal);
    if (live) x.push(toLocal(this.edge.t));
    const lines = this.traces.map((trace, i) => ({
      type: "scatter", mode: this.#lonely(trace) ? "lines+markers" : "lines", x, y: live ? [...trace.y, this.edge.y[i]] : trace.y,
      line: this.#lineOf(trace), marker: { size: 4 }, connectgaps: false,
      visible: !this.off.has(trace.title + trace.query) && !this.#edgeOfBand(trace), hoverinfo: "skip",
    }));
    return this.band ? [...this.#area(), ...lines] : lines;
  }

  #lineOf(trace) {
    if (trace.query !== this.band?.expected) return { width: 1.5, color: colourOf(trace.slot), dash: dashOf(trace.slot) };
    return { width: 1.5, color: theme.muted, dash: "dot" };
  }

  /** The band as areas: one for each stretch that has both edges. */
  #area() {
    const edge = (query) => this.traces.find((trace) => trace.query === query);
    const [lower, upper] = [edge(this.band.lower), edge(this.band.upper)];
    if (!lower || !upper || [lower, upper].some((trace) => this.off.has(trace.title + trace.query))) return [];
    const x = [];
    const y = [];
    const half = this.grid.step / 2;
    for (let i = 0; i < this.times.length; i += 1) {
      const [low, high] = [lower.y[i], upper.y[i]];
      if (low === null || high === null) continue;
      const [from, to] = [toLocal(this.times[i] - half), toLocal(this.times[i] + half)];
      x.push(from, to, to, from, null);
      y.push(low, low, high, high, null);
    }
    return [{ type: "scatter", mode: "lines", x, y, fill: "toself", fillcolor: theme.muted, opacity: 0.22, line: { width: 0, color: theme.muted }, hoverinfo: "skip" }];
  }

  #edgeOfBand(trace) {
    return this.band !== null && (trace.query === this.band.lower || trace.query === this.band.upper);
  }

  /** The server's figure with the events of this chart. */
  #withEvents(layout) {
    const shapes = this.events.map(({ at }) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: at, x1: at, line: { width: 1, dash: "dot" } }));
    const notes = this.events.map(({ at, label }) => ({ x: at, xanchor: "left", yref: "paper", y: 1, yanchor: "top", text: label, showarrow: false }));
    return { ...layout, shapes: [...(layout.shapes ?? []), ...shapes], annotations: [...(layout.annotations ?? []), ...notes] };
  }

  #lonely(trace) {
    return trace.y.filter((v) => v !== null).length < 3;
  }

  #layout() {
    const [from, to] = this.#span();
    const [least, greatest] = this.#extent();
    const { values, texts } = ticks(least, greatest, this.unit, this.tall ? 8 : 5);
    const font = { family: getComputedStyle(document.body).fontFamily, size: 11, color: theme.muted };
    const axis = { gridcolor: theme.grid, linecolor: theme.line, zeroline: false, fixedrange: true, showline: false, ticks: "" };
    return {
      autosize: false, width: this.plot.clientWidth, height: this.plot.clientHeight, margin: MARGIN, font,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: false,
      xaxis: { ...axis, type: "date", range: [toLocal(from), toLocal(to)], nticks: Math.max(3, Math.floor(this.plot.clientWidth / 110)), tickformatstops: TICK_FORMATS },
      yaxis: { ...axis, range: [least, greatest], tickvals: values, ticktext: texts, tickmode: "array" },
      shapes: (this.layout.shapes ?? []).map((shape) => this.#shape(shape)),
      annotations: this.#notes(from, to, { ...font, size: 10 }),
    };
  }

  /** Labels of thresholds and events; events too close for a label each share one. */
  #notes(from, to, font) {
    const all = this.layout.annotations ?? [];
    const events = all.filter((note) => note.xref !== "paper" && note.x >= from && note.x <= to).sort((a, b) => a.x - b.x);
    const groups = [];
    for (const note of events) {
      const group = groups.at(-1);
      if (group && this.#x(note.x) - this.#x(group[0].x) < 2 * LABEL) group.push(note);
      else groups.push([note]);
    }
    const labels = groups.map((group) => {
      const late = (group[0].x - from) / (to - from) > 0.6;
      const text = group.length > 1 ? `${group[0].text} +${group.length - 1}` : group[0].text;
      return { ...group[0], text, x: toLocal(group[0].x), xanchor: late ? "right" : "left", font };
    });
    return [...all.filter((note) => note.xref === "paper").map((note) => ({ ...note, font })), ...labels];
  }

  #shape(shape) {
    const event = shape.yref === "paper";
    return { ...shape, ...(event ? { x0: toLocal(shape.x0), x1: toLocal(shape.x1) } : {}), layer: "above", line: { ...shape.line, color: event ? theme.muted : theme.critical } };
  }

  #extent() {
    let least = Infinity;
    let greatest = -Infinity;
    this.traces.forEach((trace, i) => {
      if (this.off.has(trace.title + trace.query)) return;
      for (const v of [...trace.y, this.edge?.y[i]]) {
        if (v === null || v === undefined) continue;
        if (v < least) least = v;
        if (v > greatest) greatest = v;
      }
    });
    if (least > greatest) return [0, 1];
    if (this.layout.yaxis.rangemode === "tozero") {
      least = Math.min(0, least);
      greatest = Math.max(0, greatest);
    }
    const room = (greatest - least) * 0.08 || Math.abs(greatest) * 0.1 || 1;
    return [least < 0 || this.layout.yaxis.rangemode !== "tozero" ? least - room : least, greatest + room];
  }

  #toggle(trace, alone) {
    const name = (t) => t.title + t.query;
    if (alone) {
      const only = this.traces.every((t) => t === trace || this.off.has(name(t))) && !this.off.has(name(trace));
      this.off = new Set(only ? [] : this.traces.filter((t) => t !== trace).map(name));
    } else if (!this.off.delete(name(trace))) this.off.add(name(trace));
    this.#legend();
    this.#schedule();
  }

  #legend() {
    if (!this.grid) return;
    const fewest = this.traces.length < 2 && !this.tall;
    this.legend.hidden = fewest || !this.traces.length;
    const hidden = this.stats.series.reduce((a, b) => a + b, 0) - this.stats.shown;
    const note = hidden > 0 ? h("p.more", {}, `Shown are the ${this.stats.shown} greatest by their mean; ${hidden.toLocaleString()} others are not. Narrow or aggregate the query to see them.`) : null;
    if (this.tall) this.#legendTable(note);
    else this.legend.replaceChildren(...this.traces.map((trace) => this.#legendItem(trace)), ...(note ? [note] : []));
    if (fewest && note === null) this.legend.replaceChildren(...this.traces.map((trace) => this.#legendItem(trace)));
    this.#writeValues();
  }

  #button(trace, tag, ...children) {
    return h(tag, {
      type: "button", title: `${trace.title || trace.name}\nClick: hide or show. Shift + click: only this one.`,
      "aria-pressed": String(!this.off.has(trace.title + trace.query)), onclick: (event) => this.#toggle(trace, event.shiftKey),
    }, ...children);
  }

  #swatch(trace) {
    if (this.#edgeOfBand(trace)) return h("span.swatch.area");
    if (trace.query === this.band?.expected) return h("span.swatch", { style: { "border-top-color": theme.muted, "border-top-style": "dotted" } });
    return h("span.swatch", { style: { "border-top-color": colourOf(trace.slot), "border-top-style": { solid: "solid", dash: "dashed", dot: "dotted" }[dashOf(trace.slot)] } });
  }

  #legendItem(trace) {
    trace.cell = h("span.num");
    return this.#button(trace, "button", this.#swatch(trace), h("span.name", {}, trace.name), trace.cell);
  }

  #legendTable(note) {
    const rows = this.traces.map((trace) => {
      const [least, mean, greatest] = aggregate(trace.y);
      trace.cell = h("td.num");
      const number = (v) => h("td.num", { title: exact(v) }, format(v, this.unit));
      return h("tr", this.off.has(trace.title + trace.query) ? { "data-off": true } : {},
        h("td", {}, this.#button(trace, "button", this.#swatch(trace), h("span", {}, trace.name))), trace.cell, number(least), number(mean), number(greatest));
    });
    this.legend.setAttribute("tabindex", "0");
    this.legend.setAttribute("role", "region");
    this.legend.setAttribute("aria-label", "Series");
    this.legend.replaceChildren(h("table.compact.series", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Series"), ...["Now", "Least", "Mean", "Greatest"].map((t) => h("th.num", {}, t)))), h("tbody", {}, rows)), note ?? "");
  }

  /** The legend says the values at the crosshair, or else the newest. */
  #writeValues() {
    const i = this.crossAt === undefined || this.crossAt === null ? -1 : nearest(this.times, this.crossAt);
    this.traces.forEach((trace, n) => {
      if (!trace.cell) return;
      const value = i < 0 ? this.values?.[n] : trace.y[i];
      setText(trace.cell, format(value ?? null, this.unit));
      trace.cell.title = exact(value);
      if (this.legend.hidden) setText(this.only, format(value ?? null, this.unit));
    });
    if (!this.legend.hidden) setText(this.only, "");
  }

  #showCross(at) {
    this.crossAt = at;
    const [from, to] = this.#span();
    this.cross.hidden = at === null || at < from || at > to || !this.traces.length;
    if (!this.cross.hidden) {
      this.cross.style.left = `${this.#x(at)}px`;
      setText(this.time, timeInRange(at, to - from));
    }
    this.#writeValues();
  }

  #x(at) {
    const [from, to] = this.#span();
    return MARGIN.l + ((at - from) / (to - from)) * (this.plot.clientWidth - MARGIN.l - MARGIN.r);
  }

  #showBrush(a, b) {
    this.brush.hidden = false;
    this.brush.style.left = `${this.#x(Math.min(a, b))}px`;
    this.brush.style.width = `${Math.abs(this.#x(a) - this.#x(b))}px`;
  }

  #describe() {
    if (!this.traces.length) return setText(this.summary, "No data.");
    const all = this.traces.flatMap((trace) => trace.y).filter((v) => v !== null);
    const [least, , greatest] = aggregate(all);
    const most = this.values.reduce((best, v, i) => (v !== null && (best < 0 || v > this.values[best]) ? i : best), -1);
    const now = most < 0 ? "no value now" : `greatest now ${this.traces[most].name} at ${format(this.values[most], this.unit)}`;
    return setText(this.summary, `${this.traces.length} series from ${timeOfDay(this.times[0])} to ${timeOfDay(this.grid.end)}, between ${format(least, this.unit)} and ${format(greatest, this.unit)}; ${now}.`);
  }

  #toggleTable() {
    this.table.hidden = !this.table.hidden;
    this.tableButton.setAttribute("aria-pressed", String(!this.table.hidden));
    if (!this.table.hidden) this.#fillTable();
  }

  #fillTable() {
    const every = Math.max(1, Math.ceil(this.times.length / ROWS_OF_TABLE));
    const rows = [];
    for (let i = this.times.length - 1; i >= 0; i -= every) {
      rows.push(h("tr", {}, h("td", { title: withZone(this.times[i]) }, absolute(this.times[i])), ...this.traces.map((trace) => h("td.num", { title: exact(trace.y[i]) }, format(trace.y[i], this.unit)))));
    }
    this.table.replaceChildren(h("table.compact", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Time"), ...this.traces.map((trace) => h("th.num", { title: trace.title }, trace.name)))), h("tbody", {}, rows)));
  }
}

const TICK_FORMATS = [
  { dtickrange: [null, 1000], value: "%H:%M:%S.%L" }, { dtickrange: [1000, 60_000], value: "%H:%M:%S" },
  { dtickrange: [60_000, 86_400_000], value: "%H:%M" }, { dtickrange: [86_400_000, "M1"], value: "%d %b" }, { dtickrange: ["M1", null], value: "%b %Y" },
];

function aggregate(values) {
  let [least, greatest, sum, count] = [Infinity, -Infinity, 0, 0];
  for (const v of values) {
    if (v === null) continue;
    least = Math.min(least, v);
    greatest = Math.max(greatest, v);
    sum += v;
    count += 1;
  }
  return count ? [least, sum / count, greatest] : [null, null, null];
}

function nearest(times, at) {
  if (!times.length) return -1;
  const step = times.length > 1 ? times[1] - times[0] : 1;
  return Math.min(times.length - 1, Math.max(0, Math.round((at - times[0]) / step)));
}

/** An error with the place in the expression that it is about. */
export function errorBox(error, expression = "") {
  const message = error.position ? `${error.message.replace(/^\d+:\d+: /, "").replace(/^p/, "P")} (line ${error.position[0]}, column ${error.position[1]})` : error.message;
  const box = h("div.error", { role: "alert" }, h("strong", {}, message), error.hint ? ` ${error.hint}` : "");
  if (error.position && expression) box.append(pointed(expression, error.position));
  return box;
}

function pointed(expression, [line, column]) {
  const lines = expression.split("\n");
  const at = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
  const word = /^[\w.:]+|^\s*\S?/.exec(expression.slice(at))?.[0] || " ";
  return h("pre", { "aria-label": `Line ${line}, column ${column}` }, expression.slice(0, at), h("mark", {}, word), expression.slice(at + word.length));
}
