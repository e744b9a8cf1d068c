// What the page shows, in its address: range, live or paused, and what the page adds.

import { parseSpan, writeSpan } from "./format.js";

export const events = new EventTarget();
export const on = (name, handler) => events.addEventListener(name, (event) => handler(event.detail));
export const emit = (name, detail) => events.dispatchEvent(new CustomEvent(name, { detail }));

const DEFAULT_LAST = 3600;

function parse() {
  const query = new URLSearchParams(location.search);
  const from = Number(query.get("from"));
  const to = Number(query.get("to"));
  const range = from && to && to > from ? { from, to } : { last: parseSpan(query.get("range") ?? "") ?? DEFAULT_LAST };
  return { range, live: query.get("live") !== "off" };
}

export const state = parse();

export const moving = () => state.range.last !== undefined;

/** The range as times: [from, to] in milliseconds. */
export function bounds(now = Date.now()) {
  return moving() ? [now - state.range.last * 1000, now] : [state.range.from, state.range.to];
}

/** The address of a page with this page's range and the given parameters. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) if (each !== undefined && each !== "") query.append(name, each);
  }
  if (moving()) {
    if (state.range.last !== DEFAULT_LAST) query.set("range", writeSpan(state.range.last));
  } else {
    query.set("from", Math.round(state.range.from));
    query.set("to", Math.round(state.range.to));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Change the address: null removes a parameter, an array repeats it. */
export function remember(parameters, { push = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(parameters)) {
    query.delete(name);
    if (value === null || value === undefined) continue;
    for (const each of [value].flat()) query.append(name, each);
  }
  const text = query.toString();
  const url = text ? `?${text}` : location.pathname;
  if (url === (location.search || location.pathname)) return;
  history[push ? "pushState" : "replaceState"](null, "", url);
}

export function setRange(range) {
  state.range = range;
  remember(
    range.last !== undefined
      ? { range: range.last === DEFAULT_LAST ? null : writeSpan(range.last), from: null, to: null }
      : { range: null, from: Math.round(range.from), to: Math.round(range.to) },
    { push: true },
  );
  emit("range", range);
}

export function setLive(live) {
  state.live = live;
  remember({ live: live ? null : "off" });
  emit("live", live);
}

addEventListener("popstate", () => {
  Object.assign(state, parse());
  emit("range", state.range);
  emit("live", state.live);
  emit("address");
});
