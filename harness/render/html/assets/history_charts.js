// One small chart for each figure of each series.
"use strict";
(() => {
  const { data, draw, frame, axis, ink, colour, lines, digits } = charts;
  data.series.forEach((trends, number) => trends.forEach((trend, place) => {
    const low = trend.intervals.map((ends, index) => (ends ? ends[0] : trend.values[index]));
    const spread = trend.intervals.map((ends, index) => (ends ? ends[1] - ends[0] : 0));
    draw(`chart-${number}-${place}`, () => ({
      ...frame(),
      legend: { show: false },
      grid: { left: 56, right: 16, top: 14, bottom: 26 },
      tooltip: { ...frame().tooltip, trigger: "axis", formatter: (items) => { const at = items[0].dataIndex; return lines(trend.names[at], `${trend.days[at]}: ${trend.texts[at]}`); } },
      xAxis: axis({ type: "category", data: trend.days, axisTick: { show: false } }),
      yAxis: axis({ type: "value", scale: true, name: trend.unit, nameGap: 40, axisLabel: { color: ink("muted"), formatter: (value) => digits(value, 4) } }),
      series: [
        { type: "line", stack: "interval", data: low, symbol: "none", silent: true, lineStyle: { opacity: 0 } },
        { type: "line", stack: "interval", data: spread, symbol: "none", silent: true, lineStyle: { opacity: 0 }, areaStyle: { color: colour(0), opacity: 0.15 } },
        {
          type: "line", data: trend.values, symbolSize: trend.values.length > 60 ? 0 : 6, color: colour(0), lineStyle: { color: colour(0), width: 2 }, itemStyle: { color: colour(0) },
          markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: ink("undecided"), type: "dashed", width: 1.5 }, data: trend.shifts.map((index) => ({ xAxis: index })) },
        },
      ],
    }));
  }));
})();
