// Elements and the texts in them. Texts go in as text, never as HTML: parameters are anybody's.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Put a new element in the place of one that differs from it; who has the focus in there keeps it.
export function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
  old.replaceWith(fresh);
  if (focused) fresh.parentElement.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

// A table that scrolls by itself where it is too wide, with the keyboard, too.
export function wide(name, ...parts) {
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": name }, element("table", {}, ...parts));
}

export const some = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export function number(value, digits = 4) {
  if (!some(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(digits)));
}

export function short(value) {
  if (!some(value)) return "";
  for (const [size, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]]) {
    if (Math.abs(value) >= size) return number(value / size, 3) + unit;
  }
  return number(value, 3);
}

export function dollars(value) {
  if (!some(value)) return "not known";
  if (value === 0) return "$0";
  return "$" + (value >= 0.01 ? value.toFixed(value >= 100 ? 0 : 3) : value.toPrecision(2));
}

export function bytes(value) {
  if (!some(value)) return "not known";
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (value >= size) return `${number(value / size, 3)} ${unit}`;
  }
  return `${value} B`;
}

export function percent(share) {
  return some(share) ? `${number(100 * share, 2)} %` : "–";
}

export function duration(seconds) {
  if (!some(seconds)) return "–";
  if (seconds < 1) return `${number(seconds * 1000, 3)} ms`;
  if (seconds < 100) return `${number(seconds, 3)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function moment(unix) {
  const date = new Date(unix * 1000);
  const today = date.toDateString() === new Date().toDateString();
  const clock = date.toLocaleTimeString("en-GB");
  return today ? clock : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
}

const PYTHON = new Map([[null, "None"], [true, "True"], [false, "False"]]);

export function value(any) {
  if (typeof any === "string") return any;
  if (PYTHON.has(any)) return PYTHON.get(any);
  if (typeof any === "number") return number(any);
  if (Array.isArray(any)) return `[${any.map(value).join(", ")}]`;
  if (any !== null && typeof any === "object") return `{${parameters(any)}}`;
  return String(any);
}

export function parameters(params) {
  return Object.entries(params ?? {}).map(([name, any]) => `${name}=${value(any)}`).join(", ");
}

const STATUS = {
  running: "running", stopping: "stopping", done: "done", stopped: "stopped", budget: "budget spent",
  failed: "failed", interrupted: "interrupted", lost: "process gone",
};

export function status(run) {
  return element("span", { className: `status ${run.status}` }, STATUS[run.status] ?? run.status);
}
