// The book as levels by price: starts from a snapshot, goes on by events, and proves itself by a checksum.

import { crc32 } from "./crc.js";

const TOP = 10;

export class Book {
  constructor(snapshot) {
    this.sides = { BUY: levelsOf(snapshot.bids), SELL: levelsOf(snapshot.asks) };
    // A snapshot reaches so far; what lies beyond is not known and left alone.
    this.edges = { BUY: edgeOf(snapshot.bids, snapshot.levels), SELL: edgeOf(snapshot.asks, snapshot.levels) };
  }

  /** Apply one event: changes of quantity and of the number of orders at a price. */
  apply(event) {
    for (const [side, price, quantity, orders] of event.levels) {
      const edge = this.edges[side];
      if (edge !== null && (side === "BUY" ? price < edge : price > edge)) continue;
      const levels = this.sides[side];
      const [oldQuantity, oldOrders] = levels.get(price) ?? [0, 0];
      if (oldOrders + orders !== 0) levels.set(price, [oldQuantity + quantity, oldOrders + orders]);
      else levels.delete(price);
    }
  }

  /** Best first, each with the sum of what stands at its price and better; prices in steps of `group` ticks. */
  levels(side, group = 1) {
    const down = side === "BUY" ? -1 : 1;
    const rows = [];
    let sum = 0;
    for (const [price, [quantity]] of [...this.sides[side]].sort(([one], [other]) => down * (one - other))) {
      const step = grouped(price, side, group);
      sum += quantity;
      const last = rows.at(-1);
      if (last?.price === step) Object.assign(last, { quantity: last.quantity + quantity, sum });
      else rows.push({ price: step, quantity, sum });
    }
    return rows;
  }

  /** The checksum of the ten best levels a side (docs/market.md). */
  checksum() {
    const best = [...this.levels("SELL").slice(0, TOP), ...this.levels("BUY").slice(0, TOP)];
    return crc32(best.map(({ price, quantity }) => `${price}${quantity}`).join(""));
  }

  /** Whether the ten best of each side are known. */
  isWhole() {
    return ["BUY", "SELL"].every((side) => this.edges[side] === null || this.sides[side].size >= TOP);
  }
}

/** Never a better price than there is: bids go down to their step, asks up. */
export function grouped(price, side, group) {
  return (side === "BUY" ? Math.floor(price / group) : Math.ceil(price / group)) * group;
}

export const figure = (hundredths) =>
  (hundredths / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function levelsOf(rows) {
  return new Map(rows.map(([price, quantity, orders]) => [price, [quantity, orders]]));
}

function edgeOf(rows, limit) {
  return rows.length >= limit ? rows.at(-1)[0] : null;
}
