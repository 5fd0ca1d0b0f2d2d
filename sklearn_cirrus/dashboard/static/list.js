// The list of runs and searches: newest first, each a button to show it and a box to compare it.

import { duration, element, moment, number, parameters, status } from "./elements.js";

const MOST_COMPARED = 8; // as many as there are colours

export class RunList {
  constructor(runs, changed) {
    this.runs = runs; // Map of summaries by name
    this.changed = changed; // called when others are selected
    this.selected = []; // names
    this.follows = true; // the newest, until somebody selects another
    this.items = new Map();
    this.list = document.getElementById("runs");
    this.filter = document.getElementById("filter");
    this.parts = document.getElementById("parts");
    this.filter.addEventListener("input", () => this.arrange());
    this.parts.addEventListener("change", () => this.arrange());
    this.list.addEventListener("keydown", (event) => this.move(event));
  }

  update(names) {
    for (const name of names) this.items.get(name)?.remove();
    for (const name of names) this.items.delete(name);
    this.arrange();
  }

  remove(names) {
    for (const name of names) {
      this.items.get(name)?.remove();
      this.items.delete(name);
    }
    this.select(this.selected.filter((name) => this.runs.has(name)));
  }

  arrange() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const names = [...this.runs.keys()].sort().reverse();
    const focused = document.activeElement?.closest?.("#runs li")?.dataset.name;
    const shown = names.filter((name) => this.fits(this.runs.get(name), words));
    if (this.follows && shown.length && this.selected[0] !== shown[0]) this.select([shown[0]]);
    const wanted = shown.map((name) => this.item(name));
    const there = this.list.children;
    wanted.forEach((item, i) => there[i] !== item && this.list.insertBefore(item, there[i] ?? null));
    while (there.length > wanted.length) this.list.lastChild.remove();
    if (focused && !this.list.contains(document.activeElement)) {
      this.items.get(focused)?.querySelector("button").focus();
    }
    document.getElementById("none").hidden = this.runs.size > 0;
    this.mark();
  }

  fits(run, words) {
    if (run.search && !this.parts.checked) return false;
    const text = `${run.estimator} ${run.status} ${run.id} ${parameters(run.params)} ` +
      parameters(run.settings);
    return words.every((word) => text.toLowerCase().includes(word));
  }

  item(name) {
    if (!this.items.has(name)) this.items.set(name, this.make(this.runs.get(name)));
    return this.items.get(name);
  }

  make(run) {
    const isCall = run.kind === "call";
    const result = isCall ? `${number(run.tasks.done ?? 0)} tasks` : number(run.valid_loss ?? run.train_loss);
    const what = run.kind === "search"
      ? `${run.n_candidates} candidates`
      : [isCall ? run.candidate?.estimator ?? "joblib" : run.params?.solver, run.settings?.backend].filter(Boolean).join(", ");
    const box = element("input", {
      type: "checkbox", "aria-label": `compare ${run.estimator} of ${moment(run.time)}`,
      onchange: () => this.toggle(run.name),
    });
    const button = element(
      "button", { type: "button", onclick: () => this.choose(run.name) },
      element("span", { className: "row" },
        element("span", { className: "name" }, run.estimator.replace(/^Cirrus/, "")), status(run)),
      element("span", { className: "row small" },
        element("span", {}, `${moment(run.time)} · ${what}`),
        element("span", {}, `${result} · ${duration(run.seconds)}`)),
    );
    const item = element("li", {}, box, button);
    item.dataset.name = run.name;
    return item;
  }

  choose(name) {
    this.follows = false;
    this.select([name]);
  }

  toggle(name) {
    this.follows = false;
    const others = this.selected.filter((other) => other !== name);
    this.select(others.length < this.selected.length
      ? others : [...this.selected, name].slice(-MOST_COMPARED));
  }

  select(names) {
    this.selected = names;
    this.mark();
    this.changed(names);
  }

  mark() {
    for (const [name, item] of this.items) {
      const place = this.selected.indexOf(name);
      item.classList.toggle("shown", place >= 0);
      item.style.borderLeftColor = place >= 0 ? `var(--series-${place})` : "";
      item.querySelector("input").checked = place >= 0;
      item.querySelector("button").setAttribute("aria-current", place >= 0);
    }
  }

  move(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const other = step && event.target.closest("li")?.[step];
    if (other) {
      event.preventDefault();
      other.querySelector(event.target.tagName.toLowerCase()).focus();
    }
  }
}
