// The charts. The server has thinned the curves out; here they are drawn.

import { bytes, dollars, duration, element, number, percent, short, wide } from "./elements.js";

const AXES = {
  seconds: { label: "seconds", show: duration, tick: short },
  cost: { label: "US dollars", show: dollars, tick: dollars },
  rows: { label: "rows gone through", show: number, tick: short },
};

const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6]; // between ticks that count

const BINARY = Array.from({ length: 50 }, (_, i) => 2 ** i); // between ticks that are bytes

// Title, curves with their names, whether it is always against time, whether it is drawn at all.
const CHARTS = [
  { title: "Loss", wide: true, curves: { valid_loss: "held-out", train_loss: "train" }, show: number, tick: (v) => number(v, 3) },
  { title: "Rows per second", curves: { rows_per_second: "rows/s" }, show: short, tick: short, zero: true },
  { title: "Updates per second", curves: { updates_per_second: "updates/s" }, show: short, tick: short, zero: true },
  { title: "Tasks", wide: true, zero: true, incrs: WHOLE, show: number, tick: short, curves: { done: "done", running: "under way", queued: "queued" } },
  { title: "Tasks per second", curves: { tasks_per_second: "tasks/s" }, show: (v) => number(v, 3), tick: short, zero: true },
  { title: "Workers", time: true, zero: true, steps: true, incrs: WHOLE, show: number, tick: short,
    curves: { working: "working", starting: "starting", waiting: "waiting", relaunches: "relaunches so far" } },
  { title: "US dollars", time: true, zero: true, show: dollars, tick: dollars, curves: { cost: "so far" } },
  { title: "Server memory", time: true, zero: true, show: bytes, tick: bytes, incrs: BINARY, curves: { server_memory: "in use" } },
  { title: "Server load, of a core", time: true, zero: true, show: percent, tick: percent, curves: { server_load: "processor" } },
  { title: "Server commands per second", time: true, zero: true, show: short, tick: short, curves: { server_ops: "commands/s" } },
];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Charts {
  constructor(place) {
    this.place = place;
    this.drawn = new Map(); // by title
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.clear() || this.again?.());
  }

  // runs: [{label, curves}], against an axis; curves by name are [xs, ys].
  draw(runs, axis) {
    this.again = () => this.draw(runs, axis);
    for (const chart of CHARTS) {
      const series = [];
      runs.forEach(({ label, curves }, place) => {
        Object.entries(chart.curves).forEach(([name, called], i) => {
          const [xs, ys] = curves[name] ?? [[], []];
          const empty = !xs.length || (name === "cost" && !ys.some((y) => y > 0));
          if (empty || (name !== "working" && chart.steps && !ys.some((y) => y > 0))) return;
          series.push({
            label: runs.length > 1 ? `${label}: ${called}` : called,
            dash: name === "train_loss" && "valid_loss" in curves && curves.valid_loss[0].length ? [5, 4] : [],
            colour: `--series-${(runs.length > 1 ? place : i) % 8}`, xs, ys,
          });
        });
      });
      this.show(chart, chart.time ? "seconds" : axis, series);
    }
  }

  show(chart, axis, series) {
    const key = JSON.stringify([axis, series.map(({ label, colour: c, dash }) => [label, c, dash])]);
    let drawn = this.drawn.get(chart.title);
    if (drawn && (drawn.key !== key || !series.length)) {
      drawn.plot.destroy();
      drawn.figure.remove();
      this.drawn.delete(chart.title);
      drawn = undefined;
    }
    if (!series.length) return;
    const data = uPlot.join(series.map(({ xs, ys }) => [xs, ys]));
    if (!drawn) {
      drawn = this.make(chart, axis, series, data, key);
      this.drawn.set(chart.title, drawn);
    } else if (drawn.stamp !== stamp(data)) {
      const { plot } = drawn;
      const [xs] = plot.data;
      const isZoomed = plot.scales.x.min > xs[0] || plot.scales.x.max < xs[xs.length - 1];
      plot.setData(data, !isZoomed);
      if (isZoomed) plot.redraw();
    }
    drawn.stamp = stamp(data);
    drawn.series = series;
    drawn.summary.textContent = series.map((one) => describe(one, chart)).join("; ");
    drawn.plot.root.querySelector("canvas").setAttribute("aria-label", `${chart.title}. ${drawn.summary.textContent}`);
    if (drawn.table.open) tabulate(drawn, chart, axis);
  }

  make(chart, axis, series, data, key) {
    const summary = element("span", { className: series.length > 2 ? "unseen" : "" });
    const table = element("details", {}, element("summary", {}, "Values as a table"));
    const place = element("div", {});
    const figure = element("figure", { className: chart.wide ? "wide" : "" },
      element("figcaption", {}, element("h3", {}, chart.title), summary), place, table);
    const order = CHARTS.findIndex((one) => one.title === chart.title);
    figure.style.order = order;
    this.place.append(figure);
    const line = { stroke: colour("--quiet"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid") } };
    const plot = new uPlot({
      ...this.size(figure, chart),
      scales: { x: { time: false }, y: { range: (_, low, high) => range(low, high, chart.zero) } },
      cursor: { y: false },
      axes: [
        { ...line, label: AXES[axis].label, labelSize: 18, size: 36, labelFont: "12px system-ui", font: "12px system-ui",
          values: (_, ticks) => ticks.map(AXES[axis].tick) },
        { ...line, size: 62, font: "12px system-ui", ...(chart.incrs ? { incrs: chart.incrs } : {}), values: (_, ticks) => ticks.map(chart.tick) },
      ],
      series: [
        { label: AXES[axis].label, value: (_, v) => (v === null ? "–" : AXES[axis].show(v)) },
        ...series.map((one) => ({
          label: one.label, stroke: colour(one.colour), width: 2, dash: one.dash, spanGaps: true,
          points: { show: one.xs.length < 3 },
          paths: chart.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
          value: (_, v) => (v === null ? "–" : chart.show(v)),
        })),
      ],
    }, data, place);
    const canvas = plot.root.querySelector("canvas");
    canvas.setAttribute("role", "img");
    const drawn = { key, plot, figure, summary, table, chart, series };
    table.addEventListener("toggle", () => table.open && tabulate(drawn, chart, axis));
    return drawn;
  }

  size(figure, chart) {
    const width = Math.max(200, figure.clientWidth - 26);
    return { width, height: chart.wide ? Math.min(340, Math.max(230, width / 2.4)) : 210 };
  }

  fit() {
    for (const { plot, figure, chart } of this.drawn.values()) {
      const size = this.size(figure, chart);
      if (Math.abs(size.width - plot.width) > 1) plot.setSize(size);
    }
  }

  clear() {
    for (const { plot, figure } of this.drawn.values()) {
      plot.destroy();
      figure.remove();
    }
    this.drawn.clear();
  }
}

const stamp = (data) => `${data[0].length} ${data.map((column) => column[column.length - 1]).join(" ")}`;

function range(low, high, zero) {
  if (low === null) return [0, 1];
  if (zero) low = Math.min(0, low);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [zero ? low : low - room, high + room];
}

function describe({ label, ys }, chart) {
  const [first, last] = [ys[0], ys[ys.length - 1]];
  const extreme = chart.zero ? `${chart.show(Math.max(...ys))} at most` : `${chart.show(Math.min(...ys))} at least`;
  return `${label} ${chart.show(first)} to ${chart.show(last)}, ${extreme}`;
}

// Of each curve twenty points, evenly: for who cannot see the chart.
function tabulate({ table, series }, chart, axis) {
  const rows = series.flatMap(({ label, xs, ys }) => {
    const step = Math.max(1, Math.ceil(xs.length / 20));
    return xs.map((x, i) => [label, x, ys[i]]).filter((_, i) => i % step === 0 || i === xs.length - 1);
  });
  table.querySelector(".scroll")?.remove();
  table.append(wide(`${chart.title}, values`,
    element("thead", {}, element("tr", {}, ...["curve", AXES[axis].label, chart.title.toLowerCase()].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map(([label, x, y]) => element("tr", {},
      element("th", { scope: "row" }, label), element("td", {}, AXES[axis].show(x)), element("td", {}, chart.show(y))))))); 
}
