// The candidates of a search: the best five, the worst five, drop, add.

import { element, number, parameters } from "./elements.js";

const HEADS = ["candidate", "parameters", "held-out loss", "train loss", "epochs", "status", ""];

export function leaderboard({ n, best, worst }, run, send) {
  const isOn = run.status === "running";
  const row = (one) => element("tr", {},
    element("th", { scope: "row" }, String(one.candidate)),
    element("td", { className: "wrap" }, parameters(one.params)),
    element("td", {}, number(one.held_out_loss, 5)),
    element("td", {}, number(one.train_loss, 5)),
    element("td", {}, number(one.epochs)),
    element("td", {}, one.status),
    element("td", {}, isOn && one.status === "training"
      ? element("button", {
        type: "button", "aria-label": `Drop candidate ${one.candidate}`,
        onclick: (event) => { event.target.disabled = true; send({ command: "drop", candidates: [one.candidate] }); },
      }, "Drop") : null));
  const table = (title, rows) => [
    element("h3", {}, title),
    element("div", { className: "scroll", tabIndex: 0 }, element("table", {},
      element("thead", {}, element("tr", {}, ...HEADS.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map(row)))),
  ];
  return element("div", { id: "board" },
    ...(n ? table(n > best.length ? `Best ${best.length} of ${n} candidates` : `All ${n} candidates`, best)
      : [element("p", { className: "quiet" }, "No candidate has been trained in a table yet.")]),
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
