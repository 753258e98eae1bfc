// The price chart: the last price of each second. The tape beside it has the same numbers.

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
    const bySecond = new Map(trades.map(([, at, price]) => [Math.floor(at), price / 100]));
    this.line.setData([...bySecond].sort(([a], [b]) => a - b).map(([time, value]) => ({ time, value })));
    this.chart.timeScale().fitContent();
  }

  add(at, price) {
    this.line.update({ time: Math.floor(at), value: price / 100 });
  }
}
