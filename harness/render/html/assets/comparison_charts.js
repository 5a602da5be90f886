// Each change with its interval, against the line of no change.
"use strict";
(() => {
  const { data, draw, frame, axis, ink, lines, digits, isNarrow } = charts;
  const tones = { worse: "fail", better: "pass", same: "muted" };
  data.comparisons.forEach((rows, number) => {
    if (!rows.length) return;
    const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${digits(Math.abs(value))} %`;
    draw(`chart-comparison-${number}`, () => ({
      ...frame(),
      legend: { show: false },
      grid: { left: isNarrow() ? 130 : 240, right: 24, top: 12, bottom: 44 },
      tooltip: { ...frame().tooltip, formatter: ({ dataIndex }) => lines(rows[dataIndex].name, rows[dataIndex].text, rows[dataIndex].conclusion) },
      xAxis: axis({ type: "value", name: "change, % of a (points of agreement and accuracy)", nameGap: 28, axisLabel: { color: ink("muted"), hideOverlap: true, formatter: signed } }),
      yAxis: axis({ type: "category", inverse: true, data: rows.map((row) => row.name), splitLine: { show: false }, axisLabel: { color: ink("ink"), width: isNarrow() ? 120 : 230, overflow: "truncate" } }),
      series: [{
        type: "custom", data: rows.map((row, index) => [row.value[0], index, row.value[1], row.value[2]]), encode: { x: [0, 2, 3], y: 1 },
        markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: ink("ink"), type: "solid", width: 1 }, data: [{ xAxis: 0 }] },
        renderItem: (params, api) => {
          const stroke = ink(tones[rows[params.dataIndex].tone]);
          const [mid, low, high] = [0, 2, 3].map((field) => api.coord([api.value(field), api.value(1)])[0]);
          const y = api.coord([0, api.value(1)])[1];
          return {
            type: "group",
            children: [
              { type: "rect", shape: { x: low - 6, y: y - 8, width: high - low + 12, height: 16 }, style: { fill: "transparent" } },
              { type: "line", shape: { x1: low, x2: high, y1: y, y2: y }, style: { stroke, lineWidth: 3, opacity: 0.5, lineCap: "round" } },
              { type: "circle", shape: { cx: mid, cy: y, r: 5 }, style: { fill: stroke } },
            ],
          };
        },
      }],
    }));
  });
})();
