// The book as levels by price: starts from a snapshot, goes on by events, draws the ladder and the depth.

const LADDER = 14;

export const figure = (hundredths) =>
  (hundredths / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export class Book {
  constructor(snapshot) {
    this.number = snapshot.number;
    this.sides = { BUY: levelsOf(snapshot.bids), SELL: levelsOf(snapshot.asks) };
  }

  /** Apply one event: changes of quantity and of the number of orders at a price. */
  apply(event) {
    for (const [side, price, quantity, orders] of event.levels) {
      const levels = this.sides[side];
      const [oldQuantity, oldOrders] = levels.get(price) ?? [0, 0];
      if (oldOrders + orders > 0) levels.set(price, [oldQuantity + quantity, oldOrders + orders]);
      else levels.delete(price);
    }
  }

  /** Best first, each with the sum of what stands at its price and better. */
  levels(side) {
    const down = side === "BUY" ? -1 : 1;
    let sum = 0;
    return [...this.sides[side].entries()]
      .sort(([one], [other]) => down * (one - other))
      .map(([price, [quantity, orders]]) => ({ price, quantity, orders, sum: (sum += quantity) }));
  }
}

function levelsOf(rows) {
  return new Map(rows.map(([price, quantity, orders]) => [price, [quantity, orders]]));
}

export function drawLadder(book) {
  const asks = book.levels("SELL").slice(0, LADDER);
  const bids = book.levels("BUY").slice(0, LADDER);
  drawSide(document.getElementById("asks"), asks.slice().reverse(), "S", asks.at(-1)?.sum ?? 1);
  drawSide(document.getElementById("bids"), bids, "B", bids.at(-1)?.sum ?? 1);
  const spread = asks.length && bids.length ? figure(asks[0].price - bids[0].price) : "–";
  document.getElementById("spread").textContent = spread;
}

function drawSide(body, rows, letter, deepest) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  while (body.rows.length < rows.length) body.append(newRow(letter));
  rows.forEach((level, index) => fillRow(body.rows[index], level, letter, deepest));
}

function newRow(letter) {
  const row = document.createElement("tr");
  row.innerHTML =
    `<th scope="row" class="num"><span class="${letter === "B" ? "buy-ink" : "sell-ink"}"></span></th>` +
    '<td class="num"></td><td class="num sum"><span></span>' +
    '<svg class="share" viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true"><rect height="1"></rect></svg></td>';
  return row;
}

function fillRow(row, level, letter, deepest) {
  const [price, quantity, sum] = row.cells;
  const text = figure(level.quantity);
  if (quantity.textContent.trim() !== text) tint(quantity);
  price.firstElementChild.textContent = `${letter} ${figure(level.price)}`;
  quantity.textContent = text;
  sum.firstElementChild.textContent = figure(level.sum);
  sum.querySelector("rect").setAttribute("width", Math.round((1000 * level.sum) / deepest));
}

function tint(cell) {
  cell.classList.remove("changed");
  requestAnimationFrame(() => cell.classList.add("changed"));
}

/** Steps of the summed quantity, bids to the left and asks to the right of the middle. */
export function drawDepth(book) {
  const chart = document.getElementById("depth-chart");
  const bids = book.levels("BUY").slice(0, 40);
  const asks = book.levels("SELL").slice(0, 40);
  const prices = [...bids, ...asks].map((level) => level.price);
  if (!prices.length) return chart.replaceChildren();
  const low = Math.min(...prices);
  const high = Math.max(...prices, low + 1);
  const deepest = Math.max(bids.at(-1)?.sum ?? 0, asks.at(-1)?.sum ?? 0, 1);
  const x = (price) => (1000 * (price - low)) / (high - low);
  const y = (sum) => 235 - (225 * sum) / deepest;
  chart.replaceChildren(
    area("bids", stepsDown(bids, x, y, 0)),
    area("asks", stepsDown(asks, x, y, 1000)),
  );
  document.getElementById("depth-low").textContent = figure(low);
  document.getElementById("depth-high").textContent = figure(high);
  const middle = bids.length && asks.length ? figure((bids[0].price + asks[0].price) / 2) : "";
  document.getElementById("depth-middle").textContent = middle;
}

function stepsDown(levels, x, y, edge) {
  if (!levels.length) return "";
  let path = `M ${x(levels[0].price)} 235`;
  let sum = 0;
  for (const level of levels) {
    path += ` L ${x(level.price)} ${y(sum)} L ${x(level.price)} ${y(level.sum)}`;
    sum = level.sum;
  }
  return `${path} L ${edge} ${y(sum)} L ${edge} 235 Z`;
}

function area(name, path) {
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("class", name);
  shape.setAttribute("d", path);
  return shape;
}
