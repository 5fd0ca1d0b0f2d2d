// What is known of the selected runs in words and numbers.

import { bytes, dollars, duration, element, moment, number, parameters, short, status, value } from "./elements.js";

function tile(name, text, more) {
  return element("div", {}, element("dt", {}, name),
    element("dd", {}, text), more ? element("dd", { className: "more" }, more) : null);
}

function workers(run) {
  const { working, starting, waiting } = run.workers;
  if (working === null || working === undefined) return ["–"];
  const others = [starting ? `${starting} starting` : "", waiting ? `${waiting} waiting` : ""];
  return [`${working} working`, others.filter(Boolean).join(", ")];
}

// Of a search, the run that goes on in it tells of workers and speeds.
function part(run, runs) {
  if (run.kind !== "search") return run;
  const parts = [...runs.values()].filter((other) => other.search === run.name);
  return parts.find((other) => other.status === "running") ?? parts[parts.length - 1] ?? run;
}

export function tiles(run, runs) {
  const inner = part(run, runs);
  const isOn = ["running", "stopping"].includes(run.status);
  const forecast = inner.forecast === null ? null : run.cost - inner.cost + inner.forecast;
  const found = [
    tile("Time", duration(run.seconds), run.time ? `since ${moment(run.time)}` : ""),
    tile("Epoch", number(run.epoch), run.max_iter ? `of ${run.max_iter} at most` : ""),
    tile(run.kind === "search" ? "Held-out loss, best" : "Held-out loss", number(run.valid_loss)),
    tile(run.kind === "search" ? "Train loss, mean" : "Train loss", number(run.train_loss)),
    tile("Rows a second", short(inner.rows_per_second) || "–", inner.rows_of_data ? `of ${short(inner.rows_of_data)} rows` : ""),
    tile("Updates a second", short(inner.updates_per_second) || "–"),
    isOn ? tile("Workers", ...workers(inner)) : tile("Workers", number(inner.settings?.n_workers), "at most"),
    tile("Cold starts", number(inner.cold_starts)),
    tile("Relaunches", number(inner.relaunches), run.faults.length ? `${run.faults.length} by faults` : ""),
    tile("Server restarts", number(inner.restarts)),
    tile("Server memory", bytes(inner.memory), "of the model"),
    tile("Cost so far", dollars(run.cost), run.cost === 0 ? "on machines of your own" : ""),
  ];
  if (run.cost !== 0) {
    found.push(tile("Cost a second", dollars(inner.cost_per_second)));
    if (isOn) found.push(tile("Cost in the end", dollars(forecast), "if all epochs are run"));
  }
  if (run.kind === "search") found.splice(2, 0, tile("Candidates", number(run.n_candidates), `${run.splits} splits, ${run.fits ?? 0} fits trained`));
  return element("dl", { className: "tiles" }, ...found);
}

export function head(run, stop) {
  const button = run.status === "running"
    ? element("button", { type: "button", className: "danger", id: "stop", onclick: () => stop(run) }, "Stop") : null;
  const set = (params) => Object.fromEntries(Object.entries(params ?? {}).filter(([, any]) => any !== null));
  return [
    element("div", { className: "title" }, element("h2", {}, run.estimator), status(run),
      element("span", { className: "small" }, run.id), button),
    run.error ? element("p", { className: "error" }, run.error) : null,
    element("p", { className: "params" }, parameters({ ...set(run.settings), ...set(run.params) })),
    run.candidate ? element("p", { className: "params" }, `${run.candidate.estimator}: ${parameters(set(run.candidate.params))}`) : null,
  ].filter(Boolean);
}

// A table of several runs: a row of what is measured, then of the parameters in which they differ.
export function comparison(runs, remove) {
  const shown = [
    ["status", (run) => status(run)], ["held-out loss", (run) => number(run.valid_loss)],
    ["train loss", (run) => number(run.train_loss)], ["epochs", (run) => number(run.epoch)],
    ["time", (run) => duration(run.seconds)], ["rows a second", (run) => short(run.rows_per_second) || "–"],
    ["cost", (run) => dollars(run.cost)],
  ];
  const given = runs.map((run) => ({ ...run.settings, ...run.params }));
  const names = new Set(given.flatMap(Object.keys));
  for (const name of names) {
    const texts = given.map((params) => value(params[name] ?? null));
    if (new Set(texts).size > 1) shown.push([name, (run) => texts[runs.indexOf(run)]]);
  }
  return element("div", { className: "scroll", tabIndex: 0 }, element("table", { id: "comparison" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, ""),
      ...runs.map((run, i) => {
        const swatch = element("span", { className: "swatch" });
        swatch.style.background = `var(--series-${i})`;
        return element("th", { scope: "col" }, swatch, `${i + 1}: ${run.estimator.replace(/^Cirrus/, "")} `,
          element("span", { className: "small" }, moment(run.time)));
      }))),
    element("tbody", {}, ...shown.map(([name, of]) => element("tr", {},
      element("th", { scope: "row" }, name), ...runs.map((run) => element("td", {}, of(run))))))));
}

export function events(run) {
  const list = (title, texts) => (texts.length
    ? [element("h3", {}, title), element("ul", {}, ...texts.map((text) => element("li", {}, text)))] : []);
  return [...list("Faults of workers", run.faults), ...list("Refused", run.refused)];
}
