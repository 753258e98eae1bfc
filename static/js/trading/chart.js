// The price chart: every trade in its turn. The tape beside it has the same numbers.

import { createChart, LineSeries } from "../../vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
import { colour, onThemeChange } from "../base.js";

export class PriceChart {
  constructor(element) {
    this.times = new Map();
    this.chart = createChart(element, {
      autoSize: true,
      // Its logo brings a style of its own, which the page's policy refuses: the footer names the makers instead.
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
      localization: { locale: document.documentElement.lang || "en", timeFormatter: (number) => this.clock(number) },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderVisible: false, tickMarkFormatter: (number) => this.clock(number) },
      handleScroll: { vertTouchDrag: false },
    });
    this.line = this.chart.addSeries(LineSeries, {
      lineWidth: 2,
      priceFormat: { type: "price", precision: 2, minMove: 0.01 },
    });
    this.paint();
    onThemeChange(() => this.paint());
  }

  paint() {
    const rule = colour("--rule");
    this.chart.applyOptions({
      layout: { background: { color: colour("--surface") }, textColor: colour("--ink-soft") },
      grid: { vertLines: { color: rule }, horzLines: { color: rule } },
    });
    this.line.applyOptions({ color: colour("--sand-ink") });
  }

  /** Trades as [number, seconds, price, quantity, side], oldest first. */
  show(trades) {
    this.line.setData(trades.map(([number, at, price]) => this.point(number, at, price)));
    this.chart.timeScale().fitContent();
  }

  add(number, at, price) {
    this.line.update(this.point(number, at, price));
  }

  // Trades of one batch have one instant, and the chart wants whole numbers that rise: a trade's place is its number,
  // and its time is what the axis says there.
  point(number, at, price) {
    this.times.set(number, at);
    return { time: number, value: price / 100 };
  }

  clock(number) {
    const at = this.times.get(number);
    return at === undefined ? "" : new Date(at * 1000).toISOString().slice(11, 19);
  }
}
