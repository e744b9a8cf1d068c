// A week of silences: seven days beside each other, a bar from the beginning of each to its end.

import { h, icon } from "./dom.js";
import { absolute, withZone, zone } from "./format.js";

const MOST = 60;
const names = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });

/** Midnight of a Monday, some weeks from this one, as the viewer's clock has it. */
function monday(weeks) {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - ((now.getDay() + 6) % 7) + 7 * weeks);
}

const later = (date, days) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);

export class Week {
  /** `choose(id)` is called when somebody clicks a silence. */
  constructor(place, choose) {
    this.choose = choose;
    this.weeks = 0;
    this.silences = [];
    this.title = h("h2");
    this.head = h("div.days", { "aria-hidden": "true" });
    this.lanes = h("ul.lanes");
    const turn = (text, by, symbol) => h("button.icon", { type: "button", title: text, "aria-label": text, onclick: () => { this.weeks = by ? this.weeks + by : 0; this.#draw(); } }, symbol);
    place.replaceChildren(h("section.panel.week", { "aria-label": "Calendar of silences" },
      h("header", {}, this.title, h("div.end", {}, zone, turn("The week before", -1, icon("i-left")), h("button.button", { type: "button", onclick: () => { this.weeks = 0; this.#draw(); } }, "This week"), turn("The week after", 1, icon("i-right")))),
      this.head, this.lanes));
  }

  show(silences) {
    this.silences = silences;
    this.#draw();
  }

  #draw() {
    const from = monday(this.weeks);
    const to = later(from, 7);
    const key = JSON.stringify([this.weeks, this.silences.map((s) => [s.id, s.state, s.starts_at, s.ends_at]), Math.floor(Date.now() / 60_000)]);
    if (key === this.key) return;
    this.key = key;
    this.title.textContent = `${names.format(from)} to ${names.format(later(from, 6))}`;
    const today = absolute(Date.now()).slice(0, 10);
    this.head.replaceChildren(...Array.from({ length: 7 }, (_, i) => later(from, i)).map((day) => h(`span${absolute(day.getTime()).slice(0, 10) === today ? ".today" : ""}`, {}, names.format(day))));
    const those = this.silences.filter((s) => s.starts_at * 1000 < to && s.ends_at * 1000 > from).sort((a, b) => a.starts_at - b.starts_at);
    const share = (ms) => ((Math.min(Math.max(ms, from), to) - from) / (to - from)) * 100;
    const now = Date.now() > from && Date.now() < to ? [h("li.now", { "aria-hidden": "true", style: { left: `${share(Date.now())}%` } })] : [];
    this.lanes.replaceChildren(...now, ...those.slice(0, MOST).map((s) => this.#bar(s, share)),
      ...(those.length ? [] : [h("li.note", {}, "Nothing is silenced in this week.")]), ...(those.length > MOST ? [h("li.note", {}, `${those.length - MOST} further silences of this week are not drawn.`)] : []));
  }

  #bar(silence, share) {
    const left = share(silence.starts_at * 1000);
    const width = Math.max(0.6, share(silence.ends_at * 1000) - left);
    const text = silence.comment || silence.matchers.join(", ");
    const says = `${text}: ${withZone(silence.starts_at * 1000)} to ${absolute(silence.ends_at * 1000)}, ${silence.state === "pending" ? "to come" : silence.state}`;
    const inside = width > 18;
    return h("li", {}, h(`button.bar-of.${silence.state}`, { type: "button", title: `${says}\n${silence.matchers.join(", ")}`, "aria-label": says, style: { left: `${left}%`, width: `${width}%` }, onclick: () => this.choose(silence.id) }, inside ? text : ""),
      inside ? null : h("span.beside-bar", { "aria-hidden": "true", style: left + width > 60 ? { right: `${100 - left + 0.6}%` } : { left: `${left + width + 0.6}%` } }, text));
  }
}

