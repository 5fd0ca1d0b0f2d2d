// The page: takes the server's events, shows what is selected, sends commands.

import { Charts } from "./charts.js";
import { element, renew } from "./elements.js";
import { comparison, events, head, tiles } from "./facts.js";
import { adder, leaderboard } from "./leaderboard.js";
import { RunList } from "./list.js";

const PAUSE = 1000; // ms between two questions for the same curves

const runs = new Map();
const at = (id) => document.getElementById(id);
const charts = new Charts(at("charts"));
const list = new RunList(runs, select);
let drawing = null; // a timer, while curves are to be asked for
let drawnAt = 0;

// ---- Events of the server

const source = new EventSource("events");
source.onopen = () => connection("live", "live");
source.onerror = () => connection("dead", "not connected; is the dashboard still running?");
source.onmessage = (message) => {
  const { runs: changed, gone } = JSON.parse(message.data);
  for (const run of changed) {
    announce(runs.get(run.name), run);
    runs.set(run.name, run);
  }
  for (const name of gone) runs.delete(name);
  list.update(changed.map((run) => run.name));
  if (gone.length) list.remove(gone);
  const going = [...runs.values()].filter((run) => ["running", "stopping"].includes(run.status) && !run.search).length;
  at("totals").textContent = `${going} running, ${runs.size} kept`;
  const shown = changed.some((run) => list.selected.includes(run.name) || list.selected.includes(run.search));
  if (shown) {
    describe();
    redraw();
  }
};

function connection(kind, text) {
  at("connection").className = kind;
  at("connection").textContent = text;
}

function announce(before, run) {
  if (before && before.status !== run.status) {
    at("announcements").textContent = `${run.estimator} ${run.id}: ${run.status}`;
  }
}

// ---- What is selected

function select(names) {
  charts.clear();
  at("candidates").replaceChildren();
  at("curves").hidden = names.length === 0;
  describe();
  drawnAt = 0;
  redraw();
}

function selected() {
  return list.selected.map((name) => runs.get(name)).filter(Boolean);
}

function describe() {
  const shown = selected();
  if (shown.length === 1) {
    const { name, status, error } = shown[0];
    const key = JSON.stringify([name, status, error]);
    if (at("head").dataset.key !== key) at("head").replaceChildren(...head(shown[0], stop));
    at("head").dataset.key = key;
    at("facts").replaceChildren(tiles(shown[0], runs));
    at("events").replaceChildren(...events(shown[0]));
  } else {
    at("head").dataset.key = "";
    at("head").replaceChildren(element("h2", {}, shown.length ? `${shown.length} compared` : "Nothing is selected"));
    const table = shown.length ? comparison(shown) : null;
    if (table && at("facts").firstChild) renew(at("facts").firstChild, table);
    else at("facts").replaceChildren(...(table ? [table] : []));
    at("events").replaceChildren();
  }
  at("events").hidden = !at("events").childElementCount;
  permit("cost", shown.some((run) => run.cost > 0));
  permit("rows", shown.some((run) => run.kind !== "call"));
}

// An axis that none of the selected runs has cannot be chosen.
function permit(name, isThere) {
  const axis = document.querySelector(`input[name="axis"][value="${name}"]`);
  axis.disabled = !isThere;
  if (!isThere && axis.checked) document.querySelector('input[name="axis"]').checked = true;
}

// ---- Curves and leaderboard, asked for now and then

document.querySelectorAll('input[name="axis"]').forEach((input) => {
  input.addEventListener("change", () => { drawnAt = 0; redraw(); });
});

function redraw() {
  if (drawing !== null && drawnAt) return;
  clearTimeout(drawing);
  drawing = setTimeout(draw, Math.max(0, drawnAt + PAUSE - Date.now()));
}

async function draw() {
  const shown = selected();
  const axis = document.querySelector('input[name="axis"]:checked').value;
  const key = () => JSON.stringify([list.selected, document.querySelector('input[name="axis"]:checked').value]);
  const asked = key();
  try {
    const curves = await Promise.all(shown.map((run) => ask(`runs/${run.name}/curves?axis=${axis}`)));
    const search = shown.length === 1 && (shown[0].kind === "search" || shown[0].n_candidates) ? shown[0] : null;
    const board = search && await ask(`runs/${search.name}/leaderboard`);
    if (key() !== asked) return; // others were selected in the meantime
    charts.draw(shown.map((run, i) => ({ label: String(i + 1), curves: curves[i] })), axis);
    if (search) candidates(runs.get(search.name), board);
    at("candidates").hidden = !search;
  } catch (error) {
    connection("dead", error.message);
  } finally {
    drawnAt = Date.now();
    drawing = null;
  }
}

function candidates(run, board) {
  const place = at("candidates");
  const to = (command) => send(run, command);
  const fresh = leaderboard(board, run, to);
  if (at("board")) renew(at("board"), fresh);
  else place.append(fresh);
  if (run.status !== "running" || run.kind !== "search") at("adder")?.remove();
  else if (!at("adder")) place.append(adder(to));
}

async function ask(url, options) {
  const answer = await fetch(url, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `the dashboard answers ${answer.status}`);
  return body;
}

// ---- Commands

function send(run, command) {
  return ask(`runs/${run.name}/commands`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(command),
  });
}

let stopping = null;

function stop(run) {
  stopping = run;
  const effect = run.kind === "call"
    ? "Its tasks are ended, and the call raises a TaskError." : "It ends with what it has learnt so far.";
  at("question").textContent = `Stop ${run.estimator} ${run.id}? ${effect}`;
  at("confirm").showModal();
}

at("no").addEventListener("click", () => at("confirm").close());
at("yes").addEventListener("click", async () => {
  at("confirm").close();
  try {
    await send(stopping, { command: "stop" });
    at("announcements").textContent = `${stopping.estimator} is asked to stop`;
    if (at("stop")) at("stop").disabled = true;
  } catch (error) {
    connection("dead", error.message);
  }
});
