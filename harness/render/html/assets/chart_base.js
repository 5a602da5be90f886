// What every chart shares: the page's data, colours that follow the theme, size that follows the page.
"use strict";
const charts = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const palettes = {
    light: ["#2457d6", "#d9480f", "#0a8564", "#8e2fd6", "#a67c00", "#c2255c", "#0b7285", "#5c6370"],
    dark: ["#82aaff", "#ff9950", "#3ddbac", "#c792ff", "#f7c948", "#ff8fb1", "#4fd1e0", "#aab4bf"],
  };
  const symbols = ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow"];
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const colour = (index) => { const palette = palettes[isDark() ? "dark" : "light"]; return palette[index % palette.length]; };
  const symbol = (index) => symbols[index % symbols.length];
  const isNarrow = () => innerWidth < 620;
  // Tooltips are made of text nodes: nothing in them is ever read as markup.
  const lines = (...rows) => {
    const box = document.createElement("div");
    rows.forEach((row, index) => {
      const line = document.createElement("div");
      line.textContent = row;
      if (index === 0) line.style.fontWeight = "600";
      box.append(line);
    });
    return box;
  };
  const digits = (value, count = 3) => Number(value.toPrecision(count)).toLocaleString("en", { maximumSignificantDigits: count });
  const milliseconds = (value) => (value >= 1000 ? `${digits(value / 1000, 4)} s` : value < 0.1 ? `${digits(value * 1000, 4)} µs` : `${digits(value, 4)} ms`);
  const percent = (value) => `${digits(100 * value, 4)} %`;
  // 1, 2 and 5 of each power of ten: a logarithmic axis by itself would label only the powers.
  const ticks = (low, high) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const lead of high / low > 30 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8]) {
        const value = lead * 10 ** power;
        if (value >= low && value <= high) found.push(value);
      }
    }
    return found;
  };
  const logarithmic = (low, high, extra) => {
    const customValues = ticks(low, high);
    return axis({
      type: "log", min: low, max: high, splitLine: { show: false }, axisTick: { customValues, lineStyle: { color: ink("line") } },
      axisLabel: { color: ink("muted"), hideOverlap: true, customValues, formatter: (value) => digits(value) }, ...extra,
    });
  };
  const frame = () => ({
    animation: false,
    textStyle: { fontFamily: ink("font"), color: ink("ink") },
    aria: { enabled: false },
    tooltip: {
      confine: true, backgroundColor: ink("card"), borderColor: ink("line"), padding: [6, 10],
      textStyle: { color: ink("ink"), fontSize: 13 }, extraCssText: "max-width: 90vw; white-space: normal;",
    },
    legend: { type: "scroll", top: 0, left: 0, textStyle: { color: ink("muted") }, pageTextStyle: { color: ink("muted") }, itemWidth: 14 },
  });
  const axis = (extra) => ({
    nameTextStyle: { color: ink("muted") }, axisLabel: { color: ink("muted"), hideOverlap: true },
    axisLine: { lineStyle: { color: ink("line") } }, axisTick: { lineStyle: { color: ink("line") } },
    splitLine: { lineStyle: { color: ink("line"), opacity: 0.6 } }, nameLocation: "middle", ...extra,
  });
  const drawn = [];
  // `option` makes the chart's whole option; it is asked again when theme or width change. The page itself reserves the
  // height, so that nothing moves when charts appear.
  const draw = (id, option) => {
    const element = document.getElementById(id);
    if (!element) return null;
    const chart = echarts.init(element, null, { renderer: "canvas", width: element.clientWidth, height: element.clientHeight });
    const redraw = () => chart.setOption(option(), { notMerge: true });
    redraw();
    drawn.push({ chart, redraw, element });
    return { chart, redraw };
  };
  document.addEventListener("theme", () => drawn.forEach((one) => one.redraw()));
  let width = innerWidth;
  new ResizeObserver(() => {
    const crossed = (width < 620) !== (innerWidth < 620);
    width = innerWidth;
    for (const one of drawn) {
      if (one.element.clientWidth) one.chart.resize({ width: one.element.clientWidth });
      if (crossed) one.redraw();
    }
  }).observe(document.body);
  addEventListener("beforeprint", () => drawn.forEach((one) => one.element.clientWidth && one.chart.resize({ width: one.element.clientWidth })));
  return { data, draw, frame, axis, logarithmic, ink, colour, symbol, lines, milliseconds, percent, digits, isNarrow, isDark };
})();
