// What people did, on a chart: a line where something happened, a shade where it lasted, and both as a list.

import { h, icon, setText } from "./dom.js";
import { post } from "./ask.js";
import { absolute, span, withZone } from "./format.js";

const MOST_LISTED = 100;
const MOST_DRAWN = 200;
const ROOM = 110; // pixels that a label may take
const LEAST_ROOM = 40;

const WORDS = { deployment: "deployment", configuration: "configuration change", maintenance: "maintenance", holiday: "holiday", other: "event" };
export const wordOf = (kind) => WORDS[kind] ?? kind;
export const kindMark = (kind) => h(`span.kind.${kind}`, {}, icon(`k-${kind}`, "shape"), wordOf(kind));

/** When it was, in the words of a list; `end` is null for what has no length. */
export function timesOf({ start, end }) {
  if (end === null) return withZone(start);
  const same = absolute(start).slice(0, 10) === absolute(end).slice(0, 10);
  return `${absolute(start).slice(0, 16)} to ${same ? absolute(end).slice(11, 16) : absolute(end).slice(0, 16)} (${span((end - start) / 1000)})`;
}

export class Happened {
  /** `x(ms)` is a time's place in pixels from the left of the plot, `span()` its first and last time. */
  constructor(name, { x, span: bounds }) {
    Object.assign(this, { name, x, bounds });
    this.events = [];
    this.marks = new Map();
    this.layer = h("div.happened", { "aria-hidden": "true" });
    this.count = h("span");
    this.list = h("ul.happenings", { hidden: true });
    this.button = h("button.icon.counted", { type: "button", hidden: true, "aria-expanded": "false", onclick: () => this.#open() }, icon("k-deployment"), this.count);
  }

  /** The events of the chart: [{id, kind, title, start, end, by, text, link}], times in milliseconds. */
  show(events) {
    this.events = events;
    this.place();
    const text = `${this.name}: ${events.length === 1 ? "1 event" : `${events.length} events`}`;
    this.button.hidden = !events.length;
    this.button.title = text;
    this.button.setAttribute("aria-label", text);
    setText(this.count, events.length > 99 ? "99+" : String(events.length));
    if (!events.length && !this.list.hidden) this.#open();
    else if (!this.list.hidden) this.#fill();
  }

  /** Ask for the events of series (label sets, of an expression) between two times, and show them; without an answer there are none. */
  async load({ series, expr = "" }) {
    const [start, end] = this.bounds().map(Math.round);
    try {
      this.show((await post("/data/happened", { series, expr, start, end })).events);
    } catch (error) {
      console.info("events are not shown:", error.message);
    }
  }

  /** Put everything where it is on the plot as it is now; what is there already moves, so that its words stay under the pointer. */
  place() {
    const [from, to] = this.bounds();
    const [left, right] = [this.x(from), this.x(to)];
    const seen = this.events.filter(({ start, end }) => (end ?? start) >= from && start <= to).slice(-MOST_DRAWN);
    const marks = new Map();
    let free = -Infinity;
    for (const [i, event] of seen.entries()) {
      const begin = Math.max(this.x(event.start), left);
      const end = event.end === null ? begin : Math.min(this.x(event.end), right);
      const [room, more] = begin >= free ? this.#room(seen, i, begin, right) : [0, 0];
      free = room ? begin + room : free;
      const key = JSON.stringify(event);
      const mark = this.marks.get(key) ?? markOf(event);
      mark.style.left = `${begin}px`;
      mark.style.width = `${event.end === null ? 1 : Math.max(2, end - begin)}px`;
      mark.classList.toggle("late", begin > right * 0.55);
      mark.lastChild.hidden = !room;
      setText(mark.lastChild, more ? `${event.title} +${more}` : event.title);
      mark.lastChild.style.maxWidth = `${room}px`;
      marks.set(key, mark);
    }
    for (const [key, mark] of this.marks) if (!marks.has(key)) mark.remove();
    for (const mark of marks.values()) if (!mark.isConnected) this.layer.append(mark);
    this.marks = marks;
  }

  /** The pixels for the words of an event, and how many of those that come after it must share them. */
  #room(seen, i, begin, right) {
    const next = i + 1 < seen.length ? this.x(seen[i + 1].start) : right;
    if (next - begin >= LEAST_ROOM) return [Math.min(ROOM, next - begin - 2), 0];
    const room = Math.min(ROOM, right - begin);
    const more = seen.slice(i + 1).filter((event) => this.x(event.start) < begin + room).length;
    return room < LEAST_ROOM ? [0, 0] : [room, more];
  }

  #open() {
    this.list.hidden = !this.list.hidden;
    this.button.setAttribute("aria-expanded", String(!this.list.hidden));
    if (!this.list.hidden) this.#fill();
  }

  #fill() {
    const newest = this.events.toSorted((a, b) => b.start - a.start);
    this.list.replaceChildren(...newest.slice(0, MOST_LISTED).map((event) => h("li", {}, kindMark(event.kind), h("strong", {}, event.title), h("span.muted", {}, timesOf(event), event.by ? ` by ${event.by}` : ""), event.text ? h("span", {}, event.text) : null, event.link ? h("a", { href: event.link, rel: "noreferrer" }, "more") : null)),
      newest.length > MOST_LISTED ? h("li.muted", {}, `${newest.length - MOST_LISTED} earlier ones are not listed; take a shorter range.`) : "");
  }
}

function markOf(event) {
  return h(`div.mark.${event.kind}${event.end === null ? ".point" : ""}`, { "data-event": event.id },
    h("div.tip", {}, h("strong", {}, event.title), h("span", {}, wordOf(event.kind)), h("span", {}, timesOf(event)), event.by ? h("span", {}, `by ${event.by}`) : null),
    h("span.label", {}, event.title));
}
