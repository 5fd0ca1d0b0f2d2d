// The candidates of a search: the best five, the worst five, drop, add.

import { element, number, parameters, wide } from "./elements.js";

// Heads and cells beside number and parameters: of a search, and of a call that is one of scikit-learn's.
const OF_SEARCH = {
  "held-out loss": (one) => number(one.held_out_loss, 5), "train loss": (one) => number(one.train_loss, 5),
  epochs: (one) => number(one.epochs), status: (one) => one.status,
};
const OF_CALL = {
  "mean score": (one) => number(one.score, 5), splits: (one) => number(one.splits), metric: (one) => one.metric ?? "–",
};

export function leaderboard({ n, best, worst }, run, send) {
  const isOn = run.status === "running" && run.kind === "search";
  const columns = run.kind === "call" ? OF_CALL : OF_SEARCH;
  const heads = ["candidate", "parameters", ...Object.keys(columns), ...(isOn ? [""] : [])];
  const drop = (one) => (one.status === "training" ? element("button", {
    type: "button", "aria-label": `Drop candidate ${one.candidate}`,
    onclick: (event) => { event.target.disabled = true; send({ command: "drop", candidates: [one.candidate] }); },
  }, "Drop") : null);
  const row = (one) => element("tr", {},
    element("th", { scope: "row" }, String(one.candidate)),
    element("td", { className: "wrap" }, parameters(one.params)),
    ...Object.values(columns).map((of) => element("td", {}, of(one))),
    isOn ? element("td", {}, drop(one)) : null);
  const table = (title, rows) => [
    element("h3", {}, title),
    wide(title,
      element("thead", {}, element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map(row))),
  ];
  return element("div", { id: "board" },
    ...(n ? table(n > best.length ? `Best ${best.length} of ${n} candidates` : `${n} candidates`, best)
      : [element("p", { className: "quiet" }, "No candidate has a result yet.")]),
    ...(worst.length ? table(`Worst ${worst.length}`, worst) : []));
}

export function adder(send) {
  const field = element("input", { type: "text", placeholder: '{"C": [0.1, 1.0]}', autocomplete: "off", spellcheck: false });
  const note = element("span", { className: "error", role: "alert" });
  return element("form", {
    id: "adder",
    onsubmit: async (event) => {
      event.preventDefault();
      note.textContent = "";
      try {
        await send({ command: "add", param_grid: JSON.parse(field.value) });
        field.value = "";
      } catch (error) {
        note.textContent = error.message;
      }
    },
  }, element("label", {}, "Add candidates, a grid in JSON", field),
  element("button", { type: "submit" }, "Add"), note);
}
