// The depth chart: steps of the summed quantity. The ladder beside it has the same numbers.

import { figure } from "./book.js";

const LEVELS = 40;

export function drawDepth(book, group) {
  const chart = document.getElementById("depth-chart");
  const bids = book.levels("BUY", group).slice(0, LEVELS);
  const asks = book.levels("SELL", group).slice(0, LEVELS);
  const prices = [...bids, ...asks].map((level) => level.price);
  if (!prices.length) return chart.replaceChildren();
  const low = Math.min(...prices);
  const high = Math.max(...prices, low + 1);
  const deepest = Math.max(bids.at(-1)?.sum ?? 0, asks.at(-1)?.sum ?? 0, 1);
  const x = (price) => (1000 * (price - low)) / (high - low);
  const y = (sum) => 235 - (225 * sum) / deepest;
  chart.replaceChildren(area("bids", steps(bids, x, y, 0)), area("asks", steps(asks, x, y, 1000)));
  document.getElementById("depth-low").textContent = figure(low);
  document.getElementById("depth-high").textContent = figure(high);
  document.getElementById("depth-middle").textContent = figure((low + high) / 2);
}

function steps(levels, x, y, edge) {
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
