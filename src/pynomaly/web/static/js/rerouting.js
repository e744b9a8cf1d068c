// Who would have been told of past alerts, how often and at what hours; by two configurations side by side.

import { $, h, setText } from "./dom.js";
import { absolute, format, parseSpan, span, withZone, zone } from "./format.js";
import { answer, startFrame } from "./frame.js";
import { lines } from "./lines.js";
import { labelText } from "./list.js";
import { address, remember } from "./state.js";

const RANGES = [["1d", "1 day"], ["7d", "7 days"], ["14d", "14 days"], ["30d", "30 days"], ["90d", "90 days"]];
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const NAMES = { report: "A", against: "B" };
const LARGEST = 1 << 20;

startFrame();

const query = new URLSearchParams(location.search);
const many = (count, one, more = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : more}`;

class Rerouting {
  constructor(place) {
    this.button = h("button.primary", { type: "submit" }, "Try it");
    this.stop = h("button.button", { type: "button", hidden: true, onclick: () => this.running?.abort() }, "Stop");
    this.bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "How far the backtest is" });
    const chosen = query.get("past") ?? "7d";
    this.form = h("form", { "aria-label": "Backtest of routing", onsubmit: (event) => { event.preventDefault(); this.run(); } },
      h("div.texts", {},
        this.#text("alertmanager", "A: this configuration", "The one in force. Paste another alertmanager.yml to take that."),
        this.#text("against", "B: compared with", "Nothing. Paste an alertmanager.yml to compare."),
        this.#text("rules", "The alerts of these rules", "None: the alerts that fired. Paste a rule file to take those that it would have given.")),
      h("div.toolbar", {}, h("label", {}, "Over the last", h("select", { name: "past" }, RANGES.map(([value, text]) => h("option", { value, selected: value === chosen }, text)))), this.button, this.stop, this.bar));
    this.status = h("p.note", { role: "status", hidden: true });
    this.result = h("div.result");
    place.replaceChildren(h("div.panel.backtest.rerouting", {}, h("header", {}, h("h2", {}, "Who would have been told")), this.form, this.status, this.result));
    answer("plain", "Choose a range, and what to compare");
    if (query.has("past")) this.run();
  }

  /** A text that is pasted, or taken from a file. */
  #text(name, label, hint) {
    const area = h("textarea", { name, rows: "4", placeholder: hint, spellcheck: "false", autocomplete: "off" });
    const file = h("input", { type: "file", accept: ".yml,.yaml,text/yaml", "aria-label": `${label}: a file`, onchange: async () => {
      const [chosen] = file.files;
      if (chosen && chosen.size > LARGEST) this.#say(`${chosen.name} is larger than 1 MiB.`, true);
      else if (chosen) area.value = await chosen.text();
    } });
    return h("div.pasted", {}, h("label", {}, label, area), file);
  }

  #say(text, bad = false) {
    this.status.hidden = !text;
    this.status.className = bad ? "error" : "note";
    this.status.setAttribute("role", bad ? "alert" : "status");
    setText(this.status, text);
  }

  #busy(busy) {
    this.button.disabled = busy;
    this.stop.hidden = !busy;
    this.bar.hidden = !busy;
    this.bar.value = 0;
  }

  async run() {
    const { alertmanager, against, rules, past } = this.form.elements;
    remember({ past: past.value });
    const body = { alertmanager: alertmanager.value, against: against.value, rules: rules.value, from: past.value, timezone: zone };
    const controller = new AbortController();
    this.running = controller;
    this.#busy(true);
    this.#say(`Reading ${span(parseSpan(past.value))} of alerts …`);
    try {
      const found = await lines("/data/routing/backtest", body, controller.signal, (share) => {
        this.bar.value = share;
        this.#say(`${share < 0.5 ? "Reading alerts" : "Replaying them"} … ${Math.round(share * 100)} %`);
      });
      this.#say("");
      this.#show(found);
    } catch (error) {
      this.#say(controller.signal.aborted ? "Stopped." : error.message, !controller.signal.aborted);
    } finally {
      this.running = null;
      this.#busy(false);
    }
  }

  #show(found) {
    const both = found.against !== null;
    const reports = both ? ["report", "against"] : ["report"];
    const seconds = found.end - found.start;
    answer(found.report.unheard.total ? "warning" : "plain", verdict(found.report));
    this.result.replaceChildren(
      h("p.verdict", {}, h("strong", {}, many(found.alerts, "alert")), ` in ${span(seconds)} (${absolute(found.start * 1000).slice(0, 16)} to ${absolute(found.end * 1000).slice(0, 16)} ${zone})`),
      ...reports.map((name) => h("p", {}, both ? h("strong", {}, `${NAMES[name]}: `) : "", verdict(found[name]), ".")),
      ...found.notes.map((text) => h("p.note", {}, text)),
      found.alerts ? receivers(found, both) : h("p.empty", {}, "No alert fired in this time, so nobody would have been told. Take a longer range, or paste rules."),
      found.alerts ? h(`div.columns${both ? ".two" : ""}`, {}, reports.map((name) => hours(found[name], both ? NAMES[name] : ""))) : "",
      both ? rerouted(found.rerouted) : "",
      ...reports.map((name) => unheard(found[name].unheard, both ? NAMES[name] : "")));
    this.result.dataset.done = "true";
  }
}

const verdict = (report) => `${many(report.notifications, "notification")}, ${report.ways.reduce((sum, way) => sum + way.at_night, 0).toLocaleString()} of them at night; ${report.unheard.total ? `${many(report.unheard.total, "alert")} told to nobody` : "every alert told to somebody"}`;

/** One row for each receiver and channel, with what differs. */
function receivers(found, both) {
  const key = (way) => `${way.receiver} ${way.integration}`;
  const others = new Map((found.against?.ways ?? []).map((way) => [key(way), way]));
  const rows = found.report.ways.map((way) => [way, others.get(key(way)) ?? null]);
  const known = new Set(found.report.ways.map(key));
  if (both) rows.push(...found.against.ways.filter((way) => !known.has(key(way))).map((way) => [null, way]));
  rows.sort(([a, b], [c, d]) => Math.max(c?.notifications ?? 0, d?.notifications ?? 0) - Math.max(a?.notifications ?? 0, b?.notifications ?? 0));
  const number = (way, name) => h("td.num", {}, way === null ? "–" : format(way[name]));
  const change = (a, b) => {
    const by = (b?.notifications ?? 0) - (a?.notifications ?? 0);
    return h("td.num", {}, by ? h("strong", {}, `${by > 0 ? "+" : "−"}${Math.abs(by).toLocaleString()}`) : h("span.muted", {}, "same"));
  };
  const heads = ["Notifications", "A week", "At night", "Alerts"];
  const columns = ["notifications", "per_week", "at_night", "alerts"];
  const head = both ? [h("tr", {}, h("th", { rowspan: "2" }, "Receiver"), ...heads.map((text) => h("th.num", { colspan: "2" }, text)), h("th.num", { rowspan: "2" }, "B sends")), h("tr", {}, heads.flatMap(() => [h("th.num", {}, "A"), h("th.num", {}, "B")]))]
    : [h("tr", {}, h("th", {}, "Receiver"), ...heads.map((text) => h("th.num", {}, text)))];
  const body = rows.map(([a, b]) => h("tr", {}, h("th", { scope: "row" }, (a ?? b).receiver, h("span.muted", {}, ` ${(a ?? b).integration}`)),
    columns.flatMap((name) => (both ? [number(a, name), number(b, name)] : [number(a, name)])), both ? change(a, b) : null));
  const empty = h("p.note.warning", {}, "No receiver has a way to be told.");
  return h("section", {}, h("h3", {}, "By receiver (night is 22 to 7 o'clock)"), rows.length ? h("div.scroll", { tabindex: "0", role: "region", "aria-label": "By receiver" }, h("table.compact.by-receiver", {}, h("thead", {}, head), h("tbody", {}, body))) : empty);
}

/** Notifications of all receivers by weekday and hour. */
function hours(report, name) {
  const sums = DAYS.map((_, day) => Array.from({ length: 24 }, (_, hour) => report.ways.reduce((sum, way) => sum + way.hours[day][hour], 0)));
  const most = Math.max(1, ...sums.flat());
  const cell = (count, day, hour) => h("td.heat", { title: `${DAYS[day]} ${hour}:00: ${many(count, "notification")}`, style: { "--share": `${Math.round((count / most) * 40)}%` } }, count ? String(count) : "");
  return h("section", {}, h("h3", {}, `${name ? `${name}: at` : "At"} what hours (${zone})`),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": `Notifications by day and hour${name ? `, ${name}` : ""}` }, h("table.compact.heatmap", {},
      h("thead", {}, h("tr", {}, h("th", {}, "Day"), ...Array.from({ length: 24 }, (_, hour) => h("th", {}, String(hour))))),
      h("tbody", {}, sums.map((row, day) => h("tr", {}, h("th", { scope: "row" }, DAYS[day]), row.map((count, hour) => cell(count, day, hour))))))));
}

const who = (names) => (names.length ? names.join(", ") : h("span.muted", {}, "nobody"));
const named = ({ alertname: name, ...others }) => [h("strong", {}, name ?? ""), " ", labelText(others)];
const newest = (rows, total, text) => (total > rows.length ? `${text} (the newest ${rows.length} of ${total.toLocaleString()})` : text);
const when = (at) => h("td", { title: withZone(at * 1000) }, absolute(at * 1000).slice(0, 16));

function listed(title, heads, rows) {
  return h("section", {}, h("h3", {}, title), h("div.scroll.tallest", { tabindex: "0", role: "region", "aria-label": title }, h("table.compact", {}, h("thead", {}, h("tr", {}, heads.map((text) => h("th", {}, text)))), h("tbody", {}, rows))));
}

function rerouted({ total, rows }) {
  if (!total) return h("p.note", {}, "Every alert goes to the same receivers by both.");
  return listed(newest(rows, total, "Alerts that others are told of"), ["Fired", "Alert", "A tells", "B tells"],
    rows.map((row) => h("tr", {}, when(row.fired_at), h("td", {}, named(row.labels)), h("td", {}, who(row.a)), h("td", {}, who(row.b)))));
}

function unheard({ total, rows }, name) {
  if (!total) return "";
  const labels = (row) => Object.entries(row.labels).map(([n, v]) => `${n}=${JSON.stringify(v)}`).join(", ");
  return listed(newest(rows, total, `Alerts that nobody is told of${name ? ` by ${name}` : ""}`), ["Fired", "Alert", "Why", "Its receivers"],
    rows.map((row) => h("tr", {}, when(row.fired_at), h("td", {}, named(row.labels)), h("td", {}, row.reasons.join("; ")), h("td", {}, h("a", { href: address("/routing", { labels: labels(row) }) }, row.receivers.join(", ") || "none")))));
}

new Rerouting($("#backtest"));
