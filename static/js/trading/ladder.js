// The ladder: always as many rows, so that nothing moves; my own orders are marked in it; prices in steps as chosen.

import { figure, grouped } from "./book.js";
import { kept, keep } from "./keeping.js";

const ROWS = 14;
const GROUPS = [1, 10, 100];

export class Ladder {
  constructor(redraw) {
    this.redraw = redraw;
    this.group = Number(kept("ladder-group", "1"));
    if (!GROUPS.includes(this.group)) this.group = 1;
    this.buttons = [...document.querySelectorAll("[data-group]")];
    for (const button of this.buttons) button.addEventListener("click", () => this.choose(Number(button.dataset.group)));
    this.show();
    this.table = document.getElementById("book");
    this.table.addEventListener("click", (event) => this.take(event));
    this.table.addEventListener("keydown", (event) => this.walk(event));
  }

  choose(group) {
    this.group = group;
    keep("ladder-group", String(group));
    this.show();
    this.redraw();
  }

  /** The next grouping, for the keyboard. */
  next() {
    this.choose(GROUPS[(GROUPS.indexOf(this.group) + 1) % GROUPS.length]);
  }

  show() {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.group) === this.group));
    }
  }

  draw(book) {
    const walked = this.walked();
    const asks = book.levels("SELL", this.group).slice(0, ROWS);
    const bids = book.levels("BUY", this.group).slice(0, ROWS);
    const own = this.own();
    const padded = [...Array(ROWS - asks.length).fill(null), ...asks.slice().reverse()];
    this.side("asks", padded, "SELL", asks.at(-1)?.sum ?? 1, own);
    this.side("bids", [...bids, ...Array(ROWS - bids.length).fill(null)], "BUY", bids.at(-1)?.sum ?? 1, own);
    const [ask, bid] = [book.levels("SELL")[0], book.levels("BUY")[0]];
    document.getElementById("spread").textContent = ask && bid ? figure(ask.price - bid.price) : "–";
    this.stopAgain(walked);
  }

  side(id, rows, side, deepest, own) {
    const body = document.getElementById(id);
    while (body.rows.length > rows.length) body.deleteRow(-1);
    while (body.rows.length < rows.length) body.append(body.rows[0].cloneNode(true));
    rows.forEach((level, index) => fill(body.rows[index], level, side, deepest, level && own.get(`${side} ${level.price}`)));
  }

  /** Open quantity of my own orders by side and step, as the list of my orders says it. */
  own() {
    const found = new Map();
    for (const { dataset } of document.querySelectorAll("#mine [data-open]")) {
      const place = `${dataset.side} ${grouped(Number(dataset.price), dataset.side, this.group)}`;
      found.set(place, (found.get(place) ?? 0) + Number(dataset.open));
    }
    return found;
  }

  /** The prices that can be walked by arrow keys, from the top. */
  cells() {
    return [...this.table.querySelectorAll("tr[data-price] > th")];
  }

  /** The side and price that have the focus, if any has. */
  walked() {
    const row = this.table.contains(document.activeElement) && document.activeElement.closest("tr[data-price]");
    return row ? { side: row.parentElement.id, price: row.dataset.price } : null;
  }

  /** One price can be reached by Tab, the best one at first; the focus stays with its price when rows move. */
  stopAgain(walked) {
    if (!document.getElementById("id_limit_price")) return;
    const same = walked && this.table.querySelector(`#${walked.side} tr[data-price="${walked.price}"] > th`);
    if (same) return this.stop(same, same !== document.activeElement);
    const kept = this.cells().find((cell) => cell.tabIndex === 0);
    const best = this.table.querySelector("#asks tr[data-price]:last-child > th, #bids tr[data-price] > th");
    if (kept ?? best) this.stop(kept ?? best, Boolean(walked));
  }

  stop(cell, takesFocus) {
    for (const other of this.table.querySelectorAll("th[tabindex]")) if (other !== cell) other.removeAttribute("tabindex");
    cell.tabIndex = 0;
    if (takesFocus) cell.focus({ preventScroll: true });
  }

  /** Up and down to another price, Enter takes it. */
  walk(event) {
    const cells = this.cells();
    const at = cells.indexOf(document.activeElement);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (at < 0 || (!step && event.key !== "Enter")) return;
    event.preventDefault();
    if (step) return this.stop(cells[Math.max(0, Math.min(cells.length - 1, at + step))], true);
    this.take(event);
    document.getElementById("id_quantity")?.focus();
  }

  /** A click on a price takes it into the ticket. */
  take(event) {
    const price = event.target.closest("tr[data-price]")?.dataset.price;
    const field = document.getElementById("id_limit_price");
    if (!price || !field) return;
    field.value = (Number(price) / 100).toFixed(2);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function fill(row, level, side, deepest, mine) {
  const [price, quantity, sum, own] = row.cells;
  const text = level ? figure(level.quantity) : "";
  if (row.dataset.price === String(level?.price) && quantity.textContent.trim() !== text) tint(quantity);
  if (level) row.dataset.price = level.price;
  else delete row.dataset.price;
  show(row, level);
  price.firstElementChild.textContent = level ? `${side === "BUY" ? "B" : "S"} ${figure(level.price)}` : "";
  quantity.textContent = text;
  sum.firstElementChild.textContent = level ? figure(level.sum) : "";
  sum.querySelector("rect").setAttribute("width", level ? Math.round((1000 * level.sum) / deepest) : 0);
  own.textContent = mine ? figure(mine) : "";
  row.classList.toggle("own", Boolean(mine));
}

/** A row with nothing in it is not there for screen readers. */
export function show(row, content) {
  if (content) row.removeAttribute("aria-hidden");
  else row.setAttribute("aria-hidden", "true");
}

export function tint(cell) {
  cell.classList.remove("changed");
  requestAnimationFrame(() => cell.classList.add("changed"));
}
