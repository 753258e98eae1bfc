// Candles and volume, and the table that has the same numbers.

import {
  CandlestickSeries,
  HistogramSeries,
  createChart,
} from "../../vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
import { colour, onThemeChange } from "../base.js";
import { figure } from "./book.js";
import { show } from "./ladder.js";

export class PriceChart {
  constructor(element, table) {
    this.table = table;
    this.bars = [];
    this.chart = createChart(element, {
      autoSize: true,
      // Its logo brings a style of its own, which the page's policy refuses: the footer names the makers instead.
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
      localization: { locale: document.documentElement.lang || "en" },
      // As wide as the longest price: a scale that grows with its labels moves the candles.
      rightPriceScale: { borderVisible: false, minimumWidth: 64 },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false, maxBarSpacing: 28 },
      handleScroll: { vertTouchDrag: false },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      borderVisible: false,
      priceFormat: { type: "price", precision: 2, minMove: 0.01 },
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      priceLineVisible: false,
      lastValueVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
    this.paint();
    onThemeChange(() => this.paint());
  }

  paint() {
    const rule = colour("--rule");
    const [buy, sell] = [colour("--buy"), colour("--sell")];
    this.chart.applyOptions({
      layout: { background: { color: colour("--surface") }, textColor: colour("--ink-soft") },
      grid: { vertLines: { color: rule }, horzLines: { color: rule } },
    });
    this.candles.applyOptions({ upColor: buy, downColor: sell, wickUpColor: buy, wickDownColor: sell });
    this.volume.applyOptions({ color: colour("--rule-strong") });
  }

  /** Bars as [seconds since 1970, open, high, low, close, volume], oldest first, with the last trade that is in them. */
  show(bars, seconds, lastTrade) {
    this.bars = bars;
    this.lastTrade = lastTrade;
    this.seconds = seconds;
    this.candles.setData(bars.map(candle));
    this.volume.setData(bars.map(amount));
    this.chart.timeScale().fitContent();
    this.draw();
  }

  /** One trade more, unless the bars have it. */
  add(number, at, price, quantity) {
    if (!this.seconds || number <= this.lastTrade) return;
    this.lastTrade = number;
    const starts = Math.floor(at / this.seconds) * this.seconds;
    const last = this.bars.at(-1);
    if (last && starts < last[0]) return;
    if (last?.[0] === starts) {
      const [, open, high, low, , volume] = last;
      this.bars[this.bars.length - 1] = [starts, open, Math.max(high, price), Math.min(low, price), price, volume + quantity];
    } else {
      this.bars.push([starts, price, price, price, price, quantity]);
    }
    this.candles.update(candle(this.bars.at(-1)));
    this.volume.update(amount(this.bars.at(-1)));
  }

  /** The newest candles, newest first, in rows that stay where they are. */
  draw() {
    const newest = this.bars.slice(-this.table.rows.length).reverse();
    [...this.table.rows].forEach((row, index) => {
      const bar = newest[index];
      show(row, bar);
      const shown = bar ? [clock(bar[0], this.seconds), ...bar.slice(1).map(figure)] : [];
      [...row.cells].forEach((cell, place) => (cell.textContent = shown[place] ?? ""));
    });
  }
}

const candle = ([time, open, high, low, close]) => ({
  time,
  open: open / 100,
  high: high / 100,
  low: low / 100,
  close: close / 100,
});
const amount = ([time, , , , , volume]) => ({ time, value: volume / 100 });

function clock(at, seconds) {
  const text = new Date(at * 1000).toISOString();
  return seconds >= 86400 ? text.slice(0, 10) : text.slice(5, 16).replace("T", " ");
}
