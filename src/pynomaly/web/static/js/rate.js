// The heat map of anomalies: services by hours, of which one is chosen; and the same as a table.

import { h, icon, setText } from "./dom.js";
import { ask } from "./ask.js";
import { absolute, timeOfDay } from "./format.js";
import { Happened } from "./happened.js";
import { segmented } from "./list.js";
import { inTurn } from "./plotly.js";
import { on, remember } from "./state.js";

const HOUR = 3_600_000;
const ROW = 20;
const ROWS_OF_TABLE = 200;
const MARGIN = { l: 132, r: 12, t: 4, b: 22 };
const SPANS = [["1d", "A day"], ["7d", "A week"]];

const cssVariable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const toLocal = (ms) => ms - new Date(ms).getTimezoneOffset() * 60_000;
const short = (text) => (text.length > 18 ? `${text.slice(0, 17)}…` : text);
const rgba = (hex, alpha) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;

/** `${day} 14:00` in the viewer's zone. */
const hourText = (ms) => absolute(ms).slice(0, 16);

export class RateMap {
  /** `choose(service, hour)` is called with a cell; `chosen()` says which is, as [service, hour] or null. */
  constructor(place, { choose, chosen }) {
    Object.assign(this, { choose, chosen });
    this.span = new URLSearchParams(location.search).get("map") === "1d" ? "1d" : "7d";
    this.canvas = h("div.canvas", { "aria-hidden": "true" });
    this.happened = new Happened("Anomalies by hour", { x: (at) => this.#x(at), span: () => this.#bounds() });
    this.note = h("p.note", {}, "…");
    this.summary = h("p.hidden-text");
    this.table = h("div.data", { hidden: true, tabindex: "0", role: "region", "aria-label": "Anomalies by hour: data" });
    this.button = h("button.icon", { type: "button", title: "Data as a table", "aria-label": "Anomalies by hour: data as a table", "aria-pressed": "false", onclick: () => this.#toggle() }, icon("i-table"));
    const spans = segmented("Time of the map", SPANS, this.span, (span) => { this.span = span; remember({ map: span === "7d" ? null : span }); this.load(); });
    place.replaceChildren(h("section.panel.rate", { "aria-labelledby": "h-rate" },
      h("header", {}, h("h2", { id: "h-rate" }, "Anomalies that began, by hour and service"), h("div.end", {}, spans, this.happened.button, this.button)),
      this.summary, this.note, h("div.drawn", {}, this.canvas, this.happened.layer), this.happened.list, this.table));
    on("events-changed", () => this.load());
    this.happened.layer.classList.add("through"); // its cells can be chosen where an event lies over them
    on("theme", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(place);
  }

  async load() {
    try {
      this.figure = await ask(`/data/anomalies/rate?hours=${this.span === "1d" ? 24 : 168}`);
    } catch (error) {
      setText(this.note, `Not drawn. ${error.message}`);
      this.note.hidden = false;
      return;
    }
    this.#describe();
    this.draw();
  }

  get cells() {
    const [{ z, meta }] = this.figure.data;
    return z.flatMap((row, r) => row.map((count, i) => ({ service: meta.services[r], hour: meta.hours[i], count, row: r }))).filter(({ count }) => count);
  }

  name(service) {
    return service === undefined ? "others" : service || "no service";
  }

  #describe() {
    const { cells } = this;
    const all = cells.reduce((sum, { count }) => sum + count, 0);
    const rows = this.figure.data[0].z.length;
    const most = cells.reduce((best, cell) => (cell.count > (best?.count ?? 0) ? cell : best), null);
    const text = all ? `${all} began in ${this.span === "1d" ? "a day" : "a week"}, of ${rows} ${rows === 1 ? "service" : "services"}; most, ${most.count}, of ${this.name(most.service)} in the hour from ${hourText(most.hour)}.` : "";
    setText(this.summary, text);
    setText(this.note, `None began in the last ${this.span === "1d" ? "day" : "seven days"}.`);
    this.note.hidden = all > 0;
    this.canvas.hidden = !all;
    this.happened.layer.hidden = !all;
    if (!this.table.hidden) this.#fill();
  }

  draw() {
    if (!this.figure || this.canvas.hidden) return;
    inTurn((Plotly) => this.#draw(Plotly));
  }

  async #draw(Plotly) {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const [trace] = this.figure.data;
    const { services, hours } = trace.meta;
    const narrow = width < 600;
    const margin = narrow ? { ...MARGIN, l: 84 } : MARGIN;
    this.margin = margin;
    const height = trace.z.length * ROW + margin.t + margin.b;
    this.canvas.style.height = `${height}px`;
    const colour = cssVariable("--critical");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 11, color: cssVariable("--muted") };
    const text = trace.z.map((row, r) => row.map((count, i) => `${this.name(services[r])}, ${hourText(hours[i])} – ${timeOfDay(hours[i] + HOUR).slice(0, 5)}: ${count ?? 0}`));
    const axis = { linecolor: cssVariable("--line"), showgrid: false, zeroline: false, fixedrange: true, ticks: "" };
    await Plotly.react(this.canvas, [{ ...trace, x: trace.x.map(toLocal), text, hoverinfo: "text", colorscale: [[0, rgba(colour, 0.35)], [1, rgba(colour, 1)]] }], {
      autosize: false, width, height, margin, font, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: cssVariable("--sunk"), showlegend: false,
      xaxis: { ...axis, type: "date", range: [toLocal(hours[0]), toLocal(hours.at(-1) + HOUR)], nticks: Math.max(3, Math.floor(width / 130)), tickformat: this.span === "1d" ? "%H:%M" : "%d %b" },
      yaxis: { ...axis, ...this.figure.layout.yaxis, ticktext: this.figure.layout.yaxis.ticktext.map((name) => (narrow ? short(name).slice(0, 11) : short(name))) },
      shapes: this.#frame(services), hoverlabel: { bgcolor: cssVariable("--raised"), bordercolor: cssVariable("--line"), font: { ...font, color: cssVariable("--text") } },
    }, { displayModeBar: false, responsive: false, doubleClick: false });
    if (!this.listening) {
      this.listening = true;
      this.canvas.on("plotly_click", ({ points: [{ pointIndex: [row, column] }] }) => {
        const { meta, z } = this.figure.data[0];
        if (z[row][column]) this.choose(meta.services[row], meta.hours[column]);
      });
    }
    this.happened.layer.hidden = false;
    this.happened.show(this.figure.events);
    this.canvas.dataset.drawn = String(Number(this.canvas.dataset.drawn ?? 0) + 1);
  }

  #bounds() {
    const { hours } = this.figure.data[0].meta;
    return [hours[0], hours.at(-1) + HOUR];
  }

  #x(at) {
    const [from, to] = this.#bounds();
    const { l } = this.margin;
    return l + ((at - from) / (to - from)) * (this.canvas.clientWidth - l - MARGIN.r);
  }

  /** A frame around the cell that is chosen. */
  #frame(services) {
    const chosen = this.chosen();
    const row = chosen ? services.indexOf(chosen[0]) : -1;
    if (row < 0) return [];
    return [{ type: "rect", x0: toLocal(chosen[1]), x1: toLocal(chosen[1] + HOUR), y0: row - 0.5, y1: row + 0.5, line: { width: 2, color: cssVariable("--accent") } }];
  }

  #toggle() {
    this.table.hidden = !this.table.hidden;
    this.button.setAttribute("aria-pressed", String(!this.table.hidden));
    if (!this.table.hidden && this.figure) this.#fill(); // else it is filled when there is something
  }

  #fill() {
    const cells = this.cells.sort((a, b) => b.hour - a.hour || a.row - b.row).slice(0, ROWS_OF_TABLE);
    this.table.replaceChildren(h("table.compact", {}, h("thead", {}, h("tr", {}, h("th", {}, "Hour"), h("th", {}, "Service"), h("th.num", {}, "Began"))),
      h("tbody", {}, cells.map(({ service, hour, count }) => h("tr", {},
        h("td", {}, h("button.link", { type: "button", "aria-label": `Show ${this.name(service)} in the hour from ${hourText(hour)}`, onclick: () => this.choose(service, hour) }, hourText(hour))),
        h("td", {}, this.name(service)), h("td.num", {}, String(count)))))));
  }
}
