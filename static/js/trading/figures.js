// The figures of the day: they grow with each trade; what leaves the last 24 hours leaves with the next page.

import { figure } from "./book.js";
import { tint } from "./ladder.js";

export class Figures {
  constructor() {
    this.day = document.getElementById("day");
    this.last = document.getElementById("last-price");
    const { volume, high, low, trade } = this.day.dataset;
    Object.assign(this, { volume: Number(volume), high: Number(high), low: Number(low), trade: Number(trade) });
  }

  /** One trade more, unless the page had it when it was made. */
  add(number, price, quantity) {
    if (number <= this.trade) return;
    this.trade = number;
    this.volume += quantity;
    this.high = Math.max(this.high, price);
    this.low = this.low ? Math.min(this.low, price) : price;
  }

  draw(price) {
    if (this.last.textContent.trim() !== figure(price)) tint(this.last);
    this.last.textContent = figure(price);
    if (!this.high) return;
    document.getElementById("day-range").textContent = `${figure(this.high)} · ${figure(this.low)}`;
    document.getElementById("day-volume").textContent = figure(this.volume);
  }
}
