// What is known of the selected runs in words and numbers.

import { bytes, dollars, duration, element, moment, number, parameters, percent, short, some, status, value, wide } from "./elements.js";

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
  const left = isOn && inner.left !== null ? `${run.kind === "call" ? "about" : "at most"} ${duration(inner.left)} to go` : "";
  const forecast = inner.forecast === null ? null : run.cost - inner.cost + inner.forecast;
  const found = [
    tile("Time", duration(run.seconds), left || (run.time ? `since ${moment(run.time)}` : "")),
    ...(run.kind === "call" ? ofCall(run) : ofRun(run, inner)),
    isOn ? tile("Workers", ...workers(inner)) : tile("Workers", number(inner.settings?.n_workers), "at most"),
    tile("Cold starts", number(inner.cold_starts)),
    ...(run.kind === "call" ? faultsOfCall(run) : faultsOfRun(run, inner)),
    tile("Cost so far", dollars(run.cost), run.cost === 0 ? "on machines of your own" : ""),
  ];
  if (run.cost !== 0) {
    found.push(tile("Cost per second", dollars(inner.cost_per_second)));
    if (isOn) found.push(tile("Cost in the end", dollars(forecast), `if all ${run.kind === "call" ? "tasks" : "epochs"} are run`));
  }
  return element("dl", { className: "tiles" }, ...found);
}

function ofRun(run, inner) {
  const isSearch = run.kind === "search";
  return [
    isSearch ? tile("Candidates", number(run.n_candidates), `${run.splits} splits, ${run.fits ?? 0} fits in training`) : null,
    tile("Epoch", number(run.epoch), run.max_iter ? `of ${number(run.max_iter)} at most` : ""),
    tile(isSearch ? "Held-out loss, best" : "Held-out loss", number(run.valid_loss)),
    tile(isSearch ? "Train loss, mean" : "Train loss", number(run.train_loss)),
    tile("Rows per second", short(inner.rows_per_second) || "–", inner.rows_of_data ? `of ${short(inner.rows_of_data)} rows` : ""),
    tile("Updates per second", short(inner.updates_per_second) || "–"),
  ].filter(Boolean);
}

function faultsOfRun(run, inner) {
  const limit = inner.server_limit ? `of ${bytes(inner.server_limit)}` : "in use, without a limit";
  const known = inner.server_memory !== null && inner.server_memory !== undefined;
  return [
    tile("Relaunches", number(inner.relaunches), run.faults.length ? `${run.faults.length} by faults` : ""),
    tile("Server restarts", number(inner.restarts)),
    tile("Model on server", bytes(inner.memory)),
    tile("Server memory", bytes(inner.server_memory), known ? limit : ""),
    tile("Server load", percent(inner.server_load), known ? `of a core, ${short(inner.server_ops) || "–"} commands/s` : ""),
  ];
}

function ofCall(run) {
  const { done, running, queued, total } = run.tasks;
  return [
    tile("Tasks done", number(done), some(total) ? `of ${number(total)}` : "of a number not known yet"),
    tile("Tasks under way", number(running), some(queued) ? `${number(queued)} queued` : ""),
    tile("Tasks per second", number(run.tasks_per_second, 3)),
  ];
}

function faultsOfCall(run) {
  return [
    tile("Workers lost", number(run.relaunches), "their tasks are run again"),
    tile("Second copies", number(run.copies), "of stragglers"),
    tile("Shipped", bytes(run.bytes), "to the workers"),
  ];
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
    ["tasks", (run) => number(run.tasks.done)],
    ["time", (run) => duration(run.seconds)], ["rows per second", (run) => short(run.rows_per_second) || "–"],
    ["cost", (run) => dollars(run.cost)],
  ];
  const isCall = (run) => run.kind === "call";
  if (!runs.some(isCall)) shown.splice(4, 1);
  const given = runs.map((run) => ({ ...run.settings, ...run.params }));
  const names = new Set(given.flatMap(Object.keys));
  for (const name of names) {
    const texts = given.map((params) => (name in params ? value(params[name]) : "–"));
    if (new Set(texts).size > 1) shown.push([name, (run) => texts[runs.indexOf(run)]]);
  }
  return wide("Comparison",
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, ""),
      ...runs.map((run, i) => {
        const swatch = element("span", { className: "swatch" });
        swatch.style.background = `var(--series-${i})`;
        return element("th", { scope: "col" }, swatch, `${i + 1}: ${run.estimator.replace(/^Cirrus/, "")} `,
          element("span", { className: "small" }, moment(run.time)));
      }))),
    element("tbody", {}, ...shown.map(([name, of]) => element("tr", {},
      element("th", { scope: "row" }, name), ...runs.map((run) => element("td", {}, of(run)))))));
}

export function events(run) {
  const list = (title, texts) => (texts.length
    ? [element("h3", {}, title), element("ul", {}, ...texts.map((text) => element("li", {}, text)))] : []);
  return [...list("Faults of workers", run.faults), ...list("Refused", run.refused)];
}
