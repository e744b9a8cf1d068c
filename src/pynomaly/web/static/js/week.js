// Weeks of a calendar: seven days beside each other, a lane for each thing, a bar for each time that it lasts.

import { h } from "./dom.js";
import { absolute, withZone } from "./format.js";
import { wordOf } from "./happened.js";

const MOST = 60; // lanes of a week by itself
const FEW = 4; // lanes of a week among others
const names = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const weekdays = new Intl.DateTimeFormat(undefined, { weekday: "short" });

export const later = (date, days) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);

/** Midnight of the Monday of a day, as the viewer's clock has it. */
export const mondayOf = (date) => later(date, -((date.getDay() + 6) % 7));

/** How much of a week is over at a time, in percent; a day is a seventh, however long it is. */
function share(from, ms) {
  const day = new Date(Math.max(ms, from.getTime()));
  const midnight = later(day, 0);
  const days = Math.round((midnight - from) / 86_400_000);
  const part = (day - midnight) / (later(midnight, 1) - midnight);
  return Math.min(100, ((days + part) / 7) * 100);
}

/** The day of a month, which is named with its first day. */
const dayOf = (day) => (day.getDate() === 1 ? names.format(day) : String(day.getDate()));

export function dayHeads(from) {
  return h("div.days", { "aria-hidden": "true" }, Array.from({ length: 7 }, (_, i) => h("span", {}, weekdays.format(later(from, i)))));
}

/**
 * One week from a Monday. `items` are [{id, kind, state, title, start, end, words}], in milliseconds; those of the same id share a lane.
 * A week among others (`narrow`) has few lanes; `more()` is called for the others.
 */
export function week(from, items, { narrow = false, choose, more = null }) {
  const to = later(from, 7);
  const those = items.filter((item) => item.start < to && item.end > from).sort((a, b) => a.start - b.start);
  const lanes = [...Map.groupBy(those, (item) => item.id).values()];
  const room = narrow ? FEW : MOST;
  const today = absolute(Date.now()).slice(0, 10);
  const days = Array.from({ length: 7 }, (_, i) => later(from, i)).map((day) => h(`span${absolute(day.getTime()).slice(0, 10) === today ? ".today" : ""}`, {}, narrow ? dayOf(day) : `${weekdays.format(day)} ${dayOf(day)}`));
  const now = Date.now() > from && Date.now() < to ? [h("li.now", { "aria-hidden": "true", style: { left: `${share(from, Date.now())}%` } })] : [];
  const hidden = lanes.length - room;
  return h(`div.a-week${narrow ? ".narrow" : ""}`, {},
    h("div.days", { "aria-hidden": "true" }, days),
    h("ul.lanes", { "aria-label": `The week of ${names.format(from)}` }, ...now, lanes.slice(0, room).map((lane) => laneOf(lane, from, to, choose)),
      lanes.length || narrow ? null : h("li.note", {}, "Nothing is planned in this week."),
      hidden > 0 ? h("li.note", {}, more ? h("button.link", { type: "button", onclick: more }, `${hidden} more`) : `${hidden} more are not drawn.`) : null));
}

function laneOf(lane, from, to, choose) {
  const spots = lane.map((item) => {
    const left = share(from, item.start);
    return { item, left, width: Math.max(0.7, (item.end >= to ? 100 : share(from, item.end)) - left) };
  });
  const wide = spots.find(({ width }) => width > 14);
  const bars = spots.map(({ item, left, width }) => {
    const says = `${item.title}: ${wordOf(item.kind)}, ${withZone(item.start)} to ${absolute(item.end)}, ${item.state === "pending" ? "to come" : item.state === "expired" ? "over" : "now"}`;
    return h(`button.bar-of.${item.kind}.${item.state}`, { type: "button", title: `${says}\n${item.words}`, "aria-label": says, style: { left: `${left}%`, width: `${width}%` }, onclick: () => choose(item.id) }, wide?.item === item ? item.title : "");
  });
  return h("li", {}, bars, wide ? null : beside(spots));
}

/** The words of bars too short for them, where most room is: behind the last, before the first, or between the first two. */
function beside(spots) {
  const [first, last] = [spots[0], spots.at(-1)];
  const after = 100 - last.left - last.width;
  const place = after > 20 || after > first.left ? { left: `${last.left + last.width + 0.6}%`, "max-width": `${after - 1}%` } : { right: `${100 - first.left + 0.6}%`, "max-width": `${first.left - 1}%` };
  const between = spots.length > 1 && Math.max(after, first.left) < 14;
  const spot = between ? { left: `${first.left + first.width + 0.6}%`, "max-width": `${Math.max(6, spots[1].left - first.left - first.width - 1.2)}%` } : place;
  return h("span.beside-bar", { "aria-hidden": "true", style: spot }, first.item.title);
}
