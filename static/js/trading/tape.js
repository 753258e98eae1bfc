// The tape: the last trades, newest first, in rows that stay where they are.

import { figure } from "./book.js";
import { show } from "./ladder.js";

export class Tape {
  constructor() {
    this.body = document.getElementById("tape");
    this.trades = [];
  }

  /** Trades as [number, seconds, price, quantity, side], oldest first. */
  show(trades) {
    this.trades = trades.slice(-this.body.rows.length).reverse();
    this.draw();
  }

  add(trade) {
    this.trades.unshift(trade);
    this.trades.length = Math.min(this.trades.length, this.body.rows.length);
  }

  draw() {
    document.getElementById("no-trades").hidden = this.trades.length > 0;
    [...this.body.rows].forEach((row, index) => fill(row, this.trades[index]));
  }
}

function fill(row, trade) {
  const [time, price, quantity] = row.cells;
  const [number, at, ticks, lots, side] = trade ?? [];
  const buys = side === "BUY";
  if (number) row.dataset.number = number;
  show(row, trade);
  time.textContent = trade ? new Date(at * 1000).toISOString().slice(11, 19) : "";
  price.firstElementChild.className = buys ? "buy-ink" : "sell-ink";
  price.firstElementChild.textContent = trade ? `${buys ? "B" : "S"} ${figure(ticks)}` : "";
  quantity.textContent = trade ? figure(lots) : "";
}
