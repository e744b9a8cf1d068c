// The WebSocket: asks for what the page shows, hands out what changed, comes back by itself.

import { emit, on, state } from "./state.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

const panels = new Map(); // id → {spec, receive}
const topics = new Map(); // topic → Set of receivers
let topicOf = {}; // id → topic of the panel
let socket = null;
let wait = FIRST_WAIT;
let lastWord = Date.now();
let lostAt = 0;
let queued = false;
let reconnectTimer = 0;

/** Keep a panel live; `receive(data, at)` gets figures, deltas, tables and faults. */
export function showPanel(id, spec, receive) {
  panels.set(id, { spec, receive });
  ask();
}

export function hidePanel(id) {
  if (panels.delete(id)) ask();
}

/** Receive the snapshots of `alerts`, `targets` or `overview` whenever they change. */
export function watch(topic, receive) {
  if (!topics.has(topic)) topics.set(topic, new Set());
  topics.get(topic).add(receive);
  ask();
}

/** Ask for everything anew: something was missed. */
export function resync() {
  ask();
}

export const connection = {
  get state() {
    if (!state.live) return "paused";
    return lostAt ? "lost" : socket?.readyState === WebSocket.OPEN ? "live" : "connecting";
  },
  get since() {
    return lastWord;
  },
};

function ask() {
  if (queued) return;
  queued = true;
  queueMicrotask(() => {
    queued = false;
    if (socket?.readyState !== WebSocket.OPEN || !state.live || document.hidden) return;
    const specs = Object.fromEntries([...panels].map(([id, { spec }]) => [id, spec]));
    socket.send(JSON.stringify({ watch: [...topics.keys()], panels: specs }));
  });
}

function connect() {
  clearTimeout(reconnectTimer);
  if (!state.live) return;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.addEventListener("open", () => {
    wait = FIRST_WAIT;
    lostAt = 0;
    lastWord = Date.now();
    ask();
    emit("connection");
  });
  socket.addEventListener("message", (event) => {
    lastWord = Date.now();
    receive(JSON.parse(event.data));
  });
  socket.addEventListener("close", (event) => lost(event.target));
}

function lost(which) {
  if (which !== socket) return;
  socket = null;
  topicOf = {};
  if (!state.live) return;
  lostAt ||= Date.now();
  emit("connection");
  // Some chance in the wait, so that a restarted server is not met by all pages at once.
  reconnectTimer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 1.7, LONGEST_WAIT);
}

function receive({ topic, at, data }) {
  if (topic === "subscribed") {
    topicOf = data.panels;
    for (const id of data.refused) {
      const message = "The server keeps as many charts live as it is allowed to. Close other pages, or raise web.max_live_panels.";
      panels.get(id)?.receive({ kind: "fault", errors: [{ query: 0, message, hint: "", position: null }] }, at);
    }
    return;
  }
  if (topic === "resync") {
    emit("resync");
    ask();
    return;
  }
  if (topic === "refused") {
    const fault = { kind: "fault", errors: [{ query: 0, message: data.message, hint: "", position: null }] };
    for (const panel of panels.values()) panel.receive(fault, at);
    return;
  }
  for (const handler of topics.get(topic) ?? []) handler(data, at);
  for (const [id, its] of Object.entries(topicOf)) if (its === topic) panels.get(id)?.receive(data, at);
}

function stop() {
  clearTimeout(reconnectTimer);
  lostAt = 0;
  const open = socket;
  socket = null;
  open?.close();
}

on("live", (live) => {
  if (live) connect();
  else stop();
  emit("connection");
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden && socket?.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ watch: [...topics.keys()], panels: {} }));
  } else if (!document.hidden) ask();
});

// What is loaded when a laptop wakes up is old: say so, and start over.
addEventListener("online", () => {
  if (lostAt) {
    wait = FIRST_WAIT;
    connect();
  }
});

queueMicrotask(connect);
