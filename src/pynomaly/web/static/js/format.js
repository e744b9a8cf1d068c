// Numbers with units and times for people; three significant digits.

const SI = [
  [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"],
];
const IEC = [[2 ** 50, "Pi"], [2 ** 40, "Ti"], [2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"], [1, ""]];
const DURATIONS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];

export const NONE = "–";

/** A number with three significant digits, without trailing zeros after a point. */
export function digits(value, count = 3) {
  if (value === 0) return "0";
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const text = value.toFixed(Math.min(12, Math.max(0, count - whole)));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scaled(value, scale, least) {
  const size = Math.abs(value);
  // 999.7 would be written 1000 of the smaller unit; it is 1 of the greater.
  const step = scale.find(([factor]) => size >= factor * 0.9995) ?? scale.at(least);
  return [digits(value / step[0]), step[1]];
}

/** [number, unit] of a value; see `format`. */
export function parts(value, unit = "") {
  if (value === null || value === undefined) return [NONE, ""];
  if (typeof value === "string") return [value, unit];
  if (Number.isNaN(value)) return ["NaN", ""];
  if (!Number.isFinite(value)) return [value > 0 ? "+∞" : "−∞", ""];
  if (unit === "ratio") return [digits(value * 100), "%"];
  if (unit === "percent") return [digits(value), "%"];
  if (value === 0) return ["0", { B: "B", "B/s": "B/s", s: "s" }[unit] ?? unit];
  if (unit === "B" || unit === "B/s") {
    const [number, prefix] = scaled(value, IEC, -1);
    return [number, `${prefix}${unit}`];
  }
  if (unit === "s") return scaled(value, DURATIONS, -1);
  const [number, prefix] = Math.abs(value) >= 1e15 || Math.abs(value) < 1e-9
    ? [value.toExponential(2), ""]
    : Math.abs(value) >= 1000 || Math.abs(value) < 0.001 ? scaled(value, SI, -1) : [digits(value), ""];
  return [number, `${prefix}${unit}`];
}

/** A value with its unit: `1.24k`, `3.1 GiB`, `230 ms`, `34 %`. */
export function format(value, unit = "") {
  const [number, suffix] = parts(value, unit);
  if (!suffix) return number;
  return unit === "" ? `${number}${suffix}` : `${number} ${suffix}`;
}

/** The exact value, for hovering and copying. */
export const exact = (value) => (value === null || value === undefined ? "no data" : String(value));

/** The unit that a metric's name promises, by Prometheus's naming conventions. */
export function unitOf(expression) {
  const rate = /\b(rate|irate|deriv)\s*\(/.test(expression);
  if (/_ratio\b/.test(expression)) return "ratio";
  if (/\bcount\s*(by|without)?\s*\(/.test(expression) || /\bcount\(/.test(expression)) return "";
  if (/[-+*/]/.test(expression.replace(/\{[^}]*\}|\[[^\]]*\]/g, ""))) return "";
  if (/_bytes(_total)?\b/.test(expression)) return rate ? "B/s" : "B";
  if (/histogram_quantile/.test(expression) && /_seconds_bucket/.test(expression)) return "s";
  if (/_seconds\b/.test(expression) && !rate) return "s";
  return "";
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const pad = (n) => String(n).padStart(2, "0");

/** `2026-01-31 14:05:09` in the viewer's zone. */
export function absolute(ms) {
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}
export const withZone = (ms) => `${absolute(ms)} ${zone}`;
export const timeOfDay = (ms) => clock.format(ms);

/** The time on a crosshair: as short as the range allows. */
export function timeInRange(ms, range) {
  return range > 86_400_000 ? absolute(ms).slice(5, 16) : range > 3_600_000 * 6 ? short.format(ms) : clock.format(ms);
}

/** `4 min ago`. */
export function ago(ms, now = Date.now()) {
  const s = Math.max(0, (now - ms) / 1000);
  if (s < 5) return "just now";
  return `${span(s)} ago`;
}

/** A length of time in its greatest unit: `4 min`, `3 h`, `2 d`. */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${digits(seconds / 3600, 2)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const WORDS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** `1h`, `90m`, `7d` in seconds; null when it is none. */
export function parseSpan(text) {
  const found = /^(\d+)([smhdw])$/.exec(text.trim());
  return found ? Number(found[1]) * WORDS[found[2]] : null;
}

export function writeSpan(seconds) {
  const [unit, factor] = Object.entries(WORDS).reverse().find(([, f]) => seconds % f === 0 && seconds >= f);
  return `${seconds / factor}${unit}`;
}

/** Round values for an axis, at most about `count`, with their texts. */
export function ticks(least, greatest, unit, count = 5) {
  if (!(greatest > least)) return { values: [least], texts: [format(least, unit)] };
  const factor = unit === "ratio" ? 0.01 : 1;
  const iec = unit === "B" || unit === "B/s";
  const raw = (greatest - least) / count;
  let step;
  if (iec && raw >= 1) {
    const base = 1024 ** Math.floor(Math.log(raw) / Math.log(1024));
    // Halves and doubles of a power of 1024 are what reads as round here.
    step = base * 2 ** Math.ceil(Math.log2(raw / base) - 1e-9);
  } else if (unit === "s" && raw >= 60) {
    step = [60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400].find((s) => s >= raw) ?? 86400 * nice(raw / 86400);
  } else step = factor * nice(raw / factor);
  const values = [];
  for (let i = Math.ceil(least / step - 1e-9); i * step <= greatest + step * 1e-9; i += 1) values.push(i * step);
  return { values, texts: values.map((v) => format(Number(v.toPrecision(12)), unit)) };
}

function nice(raw) {
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
}
