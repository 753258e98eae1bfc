// The price chart: every trade in its turn. The tape beside it has the same numbers.

import { createChart, LineSeries } from "../../vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
import { colour, onThemeChange } from "../base.js";

export class PriceChart {
  constructor(element) {
    this.chart = createChart(element, {
      autoSize: true,
      // Its logo brings a style of its own, which the page's policy refuses: the footer names the makers instead.
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
      localization: { locale: document.documentElement.lang || "en" },
      rightPriceScale: { borderVisible: false },
      timeScale: { timeVisible: true, secondsVisible: true, borderVisible: false },
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
    this.line.setData(trades.map(([number, at, price]) => point(number, at, price)));
    this.chart.timeScale().fitContent();
  }

  add(number, at, price) {
    this.line.update(point(number, at, price));
  }
}

// Trades of one batch have one instant; the chart wants each point later than the one before.
function point(number, at, price) {
  return { time: at + (number % 10_000) / 1e7, value: price / 100 };
}
