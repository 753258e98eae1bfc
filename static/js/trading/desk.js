// The trading page: joins the stream to the book, the charts, the tape and the ticket.

import { watch } from "./alerts.js";
import { Book } from "./book.js";
import { PriceChart } from "./chart.js";
import { drawDepth } from "./depth.js";
import { bindKeys } from "./keys.js";
import { keep, kept } from "./keeping.js";
import { Figures } from "./figures.js";
import { Ladder } from "./ladder.js";
import { LATER, SOON, changed, touchesMine } from "./mine.js";
import { Stream } from "./stream.js";
import { Tape } from "./tape.js";

const desk = document.getElementById("desk");
const streams = JSON.parse(document.getElementById("streams").textContent);
const chart = new PriceChart(document.getElementById("price-chart"), document.getElementById("candles"));
const tape = new Tape();
const figures = new Figures();
const ladder = new Ladder(() => book && draw());
const intervals = [...document.querySelectorAll("[data-interval]")];
let book = null;
let lastTrade = 0;
let interval = intervals.find((button) => button.dataset.interval === kept("chart-interval", "")) ?? intervals[0];

async function json(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}

/** Start, or start again after a gap: the book and the trades as they are now. */
async function restart() {
  const snapshot = await json(streams.book);
  const { trades } = await json(streams.trades);
  await candles();
  book = new Book(snapshot);
  lastTrade = trades.at(-1)?.[0] ?? 0;
  tape.show(trades);
  for (const [trade, , price, quantity] of trades) figures.add(trade, price, quantity);
  if (snapshot.last_price) figures.draw(snapshot.last_price);
  proved(snapshot.number);
  draw();
  changed(SOON);
  return snapshot.number;
}

async function candles() {
  for (const button of intervals) button.setAttribute("aria-pressed", String(button === interval));
  const wanted = interval;
  const { bars, last_trade } = await json(`${streams.candles}?interval=${wanted.dataset.interval}`);
  if (wanted === interval) chart.show(bars, Number(wanted.dataset.seconds), last_trade);
}

for (const button of intervals) {
  button.addEventListener("click", () => {
    interval = button;
    keep("chart-interval", button.dataset.interval);
    candles();
  });
}

/** One event more; false where the book does not agree with its checksum. */
function take(event, number) {
  book.apply(event);
  const at = Date.parse(event.at) / 1000;
  for (const [trade, price, quantity, side] of event.trades) {
    if (trade <= lastTrade) continue;
    lastTrade = trade;
    tape.add([trade, at, price, quantity, side]);
    chart.add(trade, at, price, quantity);
    figures.add(trade, price, quantity);
    figures.draw(price);
    watch(price);
  }
  if (event.phase) document.body.dispatchEvent(new CustomEvent("phase-changed"));
  draw();
  changed(touchesMine(event) ? SOON : LATER);
  dispatchEvent(new CustomEvent("book-event", { detail: number }));
  if (book.checksum() !== event.checksum || !book.isWhole()) return false;
  proved(number);
  return true;
}

function proved(number) {
  desk.dataset.number = number;
  document.getElementById("proved").textContent = number;
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    ladder.draw(book);
    drawDepth(book, ladder.group);
    tape.draw();
    chart.draw();
  });
}

function stale(isStale) {
  document.getElementById("stale").hidden = !isStale;
  const button = document.getElementById("place");
  if (button) button.disabled = isStale;
}

const stream = new Stream(streams.events, { restart, event: take, stale });
if (!document.hidden) stream.open();
bindKeys({ group: () => ladder.next(), interval: () => intervals[(intervals.indexOf(interval) + 1) % intervals.length].click() });
document.addEventListener("htmx:after:swap", () => {
  // A ticket that was swapped in while the connection was away stays closed too; orders of mine may stand elsewhere.
  stale(!document.getElementById("stale").hidden);
  if (book) draw();
});
