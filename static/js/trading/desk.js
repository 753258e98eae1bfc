// The trading page: joins the stream to the book, the charts, the tape and the ticket.

import { Book, drawDepth, drawLadder, figure } from "./book.js";
import { PriceChart } from "./chart.js";
import { Stream } from "./stream.js";

const TAPE = 30;
const streams = JSON.parse(document.getElementById("streams").textContent);
const chart = new PriceChart(document.getElementById("price-chart"));
const tape = document.getElementById("tape");
let book = null;
let lastTrade = 0;

async function json(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}

/** Start, or start again after a gap: the book and the trades as they are now. */
async function restart() {
  const snapshot = await json(streams.book);
  const { trades } = await json(streams.trades);
  book = new Book(snapshot);
  lastTrade = trades.at(-1)?.[0] ?? 0;
  chart.show(trades);
  tape.replaceChildren(...trades.slice(-TAPE).reverse().map(tapeRow));
  draw();
  changed();
  return snapshot.number;
}

function take(event) {
  book.apply(event);
  const at = Date.parse(event.at) / 1000;
  for (const [number, price, quantity, side] of event.trades) {
    if (number <= lastTrade) continue;
    lastTrade = number;
    tape.prepend(tapeRow([number, at, price, quantity, side]));
    chart.add(number, at, price);
    showLast(price);
  }
  while (tape.rows.length > TAPE) tape.deleteRow(-1);
  if (event.trades.length) document.getElementById("no-trades")?.remove();
  draw();
  changed();
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawLadder(book);
    drawDepth(book);
  });
}

function showLast(price) {
  const output = document.getElementById("last-price");
  output.textContent = figure(price);
  output.classList.remove("changed");
  requestAnimationFrame(() => output.classList.add("changed"));
}

function tapeRow([, at, price, quantity, side]) {
  const row = document.createElement("tr");
  const buys = side === "BUY";
  const time = new Date(at * 1000).toISOString().slice(11, 19);
  row.innerHTML =
    `<td>${time}</td><td class="num"><span class="${buys ? "buy-ink" : "sell-ink"}">` +
    `${buys ? "B" : "S"} ${figure(price)}</span></td><td class="num">${figure(quantity)}</td>`;
  return row;
}

/** My orders may have changed: their fragment listens for this. Told soon, and not more often than it can be read. */
let telling = null;
function changed() {
  telling ??= setTimeout(() => {
    telling = null;
    // Somebody is typing new terms: the list is fetched anew once they are sent or put away.
    if (document.querySelector("#mine details.amend[open]")) return changed();
    document.body.dispatchEvent(new CustomEvent("market-event"));
  }, 250);
}

function stale(isStale) {
  document.getElementById("stale").hidden = !isStale;
  const button = document.getElementById("place");
  if (button) button.disabled = isStale;
}

const stream = new Stream(streams.events, { restart, event: take, stale });
stream.open();
// A ticket that was swapped in while the connection was away stays closed too.
document.addEventListener("htmx:after:swap", () => stale(!document.getElementById("stale").hidden));
