// Keys of the trading page. Letters can be switched off (WCAG 2.1.4), and the choice is kept in this browser.

import { keep, kept } from "./keeping.js";
import { putAway } from "./mine.js";

const sheet = document.getElementById("keys");
const letters = document.getElementById("keys-letters");

/** The first of these that is there. */
function focus(...selectors) {
  const found = selectors.map((selector) => document.querySelector(selector)).find(Boolean);
  found?.focus();
  found?.select?.();
  found?.scrollIntoView({ block: "nearest" });
}

function choose(name, value) {
  const radio = document.querySelector(`#ticket input[name=${name}][value=${value}]`);
  if (!radio) return;
  radio.checked = true;
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  focus("#id_quantity");
}

export function bindKeys({ group, interval }) {
  const acts = {
    b: () => choose("side", "BUY"),
    s: () => choose("side", "SELL"),
    l: () => choose("kind", "LIMIT"),
    m: () => choose("kind", "MARKET"),
    q: () => focus("#id_quantity"),
    p: () => focus("#id_limit_price"),
    o: () => focus("#mine details.amend summary", "#mine summary", "#mine"),
    x: () => focus("#cancel-all"),
    a: () => focus("#alerts input[type=number]"),
    t: () => focus("#book th[tabindex='0']"),
    g: group,
    c: interval,
    "?": () => sheet.showModal(),
  };
  letters.checked = kept("letter-keys", "on") === "on";
  letters.addEventListener("change", () => keep("letter-keys", letters.checked ? "on" : "off"));
  document.getElementById("keys-open").addEventListener("click", () => sheet.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !putAway(event.target) && event.target.closest("#ticket, #alerts, #mine")) event.target.blur();
    if (event.ctrlKey || event.altKey || event.metaKey || sheet.open || !letters.checked) return;
    if (event.target.closest("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]")) return;
    const act = acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
