// The report's pictures but the samples: trade-off, distribution, memory, size, agreement.
"use strict";
(() => {
  const { data, draw, frame, axis, logarithmic, ink, colour, symbol, lines, milliseconds, percent, digits, isNarrow } = charts;
  const names = data.variants;
  const indexOf = (variant) => names.indexOf(variant);
  const faded = (hex, opacity) => `${hex}${Math.round(255 * opacity).toString(16).padStart(2, "0")}`;
  // In a label of a chart braces would name a style.
  const plain = (text) => text.replaceAll("{", "(").replaceAll("}", ")");
  const nameAxis = () => axis({
    type: "category", data: names, inverse: true, splitLine: { show: false }, axisTick: { show: false },
    axisLabel: { color: ink("ink"), fontWeight: 600, width: isNarrow() ? 84 : 150, overflow: "truncate" },
  });
  const leftGrid = (extra) => ({ left: isNarrow() ? 92 : 160, right: 20, top: 12, bottom: 44, ...extra });

  const tradeoff = data.tradeoff;
  if (tradeoff.points.length) {
    const largest = Math.max(...tradeoff.points.map((point) => point.size));
    const radius = (size) => Math.max(9, (isNarrow() ? 46 : 64) * Math.sqrt(size / largest));
    const floors = tradeoff.points.map((point) => point.y[1]).concat(tradeoff.limits_y.map((limit) => limit.value));
    const ceilings = tradeoff.points.map((point) => point.x[2]).concat(tradeoff.limits_x.map((limit) => limit.value));
    const low = Math.max(0, Math.min(...floors) - 0.15 * (1 - Math.min(...floors)) - 0.002);
    const slowest = Math.max(...ceilings);
    const right = 1.14 * slowest;
    const top = 1 + 0.13 * (1 - low);
    // Where two marks lie on one another their names go to different sides.
    const sides = new Map();
    for (const point of tradeoff.points) {
      const near = tradeoff.points.filter((other) => sides.has(other.variant) && Math.abs(other.x[0] - point.x[0]) < 0.2 * right && Math.abs(other.y[0] - point.y[0]) < 0.05 * (top - low));
      const wanted = point.x[0] > 0.7 * right ? ["left", "bottom", "top"] : ["right", "left", "bottom", "top"];
      sides.set(point.variant, wanted.find((side) => !near.some((other) => sides.get(other.variant) === side)) || "right");
    }
    const refused = () => [
      ...tradeoff.limits_x.map((limit) => [{ xAxis: limit.value }, { xAxis: right }]),
      ...tradeoff.limits_y.map((limit) => [{ yAxis: low }, { yAxis: limit.value }]),
    ];
    const limitLine = (extra, text, position) => ({
      ...extra, label: { formatter: plain(text), position, color: ink("fail"), fontSize: 11, overflow: "truncate", width: 220 },
    });
    draw("chart-tradeoff", () => ({
      ...frame(),
      legend: { show: false },
      grid: { left: 62, right: 18, top: 24, bottom: 46 },
      xAxis: axis({ type: "value", min: 0, max: right, name: `${tradeoff.latency}, ms`, nameGap: 28, axisLabel: { color: ink("muted"), hideOverlap: true, formatter: (value) => (value === right ? "" : digits(value)) } }),
      yAxis: axis({ type: "value", min: low, max: top, name: "top-1 agreement", nameGap: 44, axisLabel: { color: ink("muted"), showMinLabel: false, showMaxLabel: false, formatter: (value) => (value > 1 ? "" : `${digits(100 * value)} %`) } }),
      series: [
        {
          type: "line", name: "frontier", data: tradeoff.frontier, symbol: "none", silent: true, z: 1,
          lineStyle: { color: ink("muted"), type: [5, 4], width: 1.5 },
          markArea: { silent: true, itemStyle: { color: ink("fail"), opacity: 0.08 }, data: refused() },
          markLine: {
            silent: true, symbol: "none", lineStyle: { color: ink("fail"), width: 1.3, type: "solid" },
            data: [
              ...tradeoff.limits_x.map((limit) => limitLine({ xAxis: limit.value }, limit.text, "end")),
              ...tradeoff.limits_y.map((limit) => limitLine({ yAxis: limit.value }, limit.text, "insideStartBottom")),
            ],
          },
        },
        {
          type: "custom", silent: true, z: 2, data: tradeoff.points.map((point) => [...point.x, ...point.y]),
          encode: { x: [0, 1, 2], y: [3, 4, 5] },
          renderItem: (params, api) => {
            const at = (x, y) => api.coord([x, y]);
            const style = { stroke: colour(indexOf(tradeoff.points[params.dataIndex].variant)), lineWidth: 1.4, opacity: 0.75 };
            const [left, mid, end] = [at(api.value(1), api.value(3)), at(api.value(0), api.value(3)), at(api.value(2), api.value(3))];
            const [bottom, top] = [at(api.value(0), Math.max(api.value(4), low)), at(api.value(0), api.value(5))];
            const segment = (a, b) => ({ type: "line", shape: { x1: a[0], y1: a[1], x2: b[0], y2: b[1] }, style });
            return { type: "group", children: [segment(left, end), segment(bottom, top), { type: "circle", shape: { cx: mid[0], cy: mid[1], r: 2 }, style: { fill: style.stroke } }] };
          },
        },
        {
          type: "scatter", z: 3,
          data: tradeoff.points.map((point) => ({
            value: [point.x[0], point.y[0]], name: point.variant, point, label: { position: sides.get(point.variant) }, symbolSize: radius(point.size),
            itemStyle: { color: faded(colour(indexOf(point.variant)), 0.35), borderColor: colour(indexOf(point.variant)), borderWidth: point.frontier ? 3 : 1 },
          })),
          label: {
            show: true, formatter: (item) => plain(item.name), distance: 6, color: ink("ink"), fontWeight: 600, fontSize: 12.5,
            textBorderColor: ink("card"), textBorderWidth: 3,
          },
          tooltip: {
            formatter: ({ data: { point } }) => lines(
              point.variant,
              `${tradeoff.latency} ${milliseconds(point.x[0])} [${milliseconds(point.x[1])}, ${milliseconds(point.x[2])}]`,
              `agreement ${percent(point.y[0])} [${percent(point.y[1])}, ${percent(point.y[2])}]`,
              `compressed ${point.size_text}`,
              point.frontier ? "on the frontier" : "another variant is no worse in both",
              point.answer ? `the policy says ${point.answer}` : "not judged",
            ),
          },
        },
      ],
    }));
  }

  const distribution = data.distribution;
  if (distribution) {
    const middles = distribution.edges.slice(1).map((edge, index) => Math.sqrt(edge * distribution.edges[index]));
    const tallest = Math.max(...distribution.rows.flatMap((row) => row.shares));
    draw("chart-distribution", () => ({
      ...frame(),
      legend: { show: false },
      tooltip: {
        ...frame().tooltip, trigger: "item",
        formatter: ({ dataIndex }) => {
          const row = distribution.rows[dataIndex];
          return lines(
            row.variant, `${row.samples.toLocaleString("en")} steady samples`,
            ...Object.entries(row.marks).map(([name, mark]) => `${name} ${milliseconds(mark[0])} [${milliseconds(mark[1])}, ${milliseconds(mark[2])}]`),
            ...(row.range ? [`fastest ${milliseconds(row.range[0])}, slowest ${milliseconds(row.range[1])}`] : []),
          );
        },
      },
      grid: leftGrid(),
      xAxis: logarithmic(distribution.edges[0], distribution.edges.at(-1), { name: "latency, ms (logarithmic)", nameGap: 28 }),
      yAxis: nameAxis(),
      series: [{
        type: "custom", data: distribution.rows.map((row, index) => [distribution.edges[0], index]),
        renderItem: (params, api) => {
          const row = distribution.rows[params.dataIndex];
          const y = api.coord([distribution.edges[0], params.dataIndex])[1];
          const half = 0.44 * api.size([0, 1])[1];
          const x = (value) => api.coord([value, params.dataIndex])[0];
          const fill = colour(params.dataIndex);
          const outline = row.shares.map((share, index) => [x(middles[index]), half * Math.sqrt(share / tallest)]).filter((point, index) => row.shares[index] > 0 || row.shares[index - 1] > 0 || row.shares[index + 1] > 0);
          const children = [{
            type: "polygon",
            shape: { points: [...outline.map(([px, h]) => [px, y - h]), ...outline.reverse().map(([px, h]) => [px, y + h])] },
            style: { fill, opacity: 0.42, stroke: fill, lineWidth: 1 },
          }];
          for (const [name, mark] of Object.entries(row.marks)) {
            const height = { p50: 0.62, p90: 0.4, p99: 0.26 }[name] * half;
            children.push({ type: "rect", shape: { x: x(mark[1]), y: y - height, width: Math.max(x(mark[2]) - x(mark[1]), 1), height: 2 * height }, style: { fill: ink("ink"), opacity: 0.22 } });
            children.push({ type: "line", shape: { x1: x(mark[0]), x2: x(mark[0]), y1: y - height, y2: y + height }, style: { stroke: ink("ink"), lineWidth: 2 } });
            children.push({ type: "text", style: { text: name, x: x(mark[0]), y: y - height - 3, align: "center", verticalAlign: "bottom", fill: ink("muted"), fontSize: 10 } });
          }
          return { type: "group", children };
        },
      }],
    }));
  }

  const kinds = data.memory.kinds;
  const kind = document.getElementById("memory-kind");
  if (kind && kinds.length) {
    kinds.forEach((one, index) => kind.append(new Option(one.title, index)));
    const preferred = kinds.findIndex((one) => one.title === "footprint");
    kind.value = Math.max(preferred, 0);
    const memory = draw("chart-memory", () => ({
      ...frame(),
      grid: { left: 62, right: 18, top: 36, bottom: 30 },
      tooltip: {
        ...frame().tooltip, trigger: "axis",
        formatter: (items) => lines(`${kinds[kind.value].title} after ${items[0].axisValue}`, ...items.filter((item) => item.value != null).map((item) => `${item.seriesName}: ${digits(item.value, 4)} MB`)),
      },
      xAxis: axis({ type: "category", data: data.memory.stages, boundaryGap: false }),
      yAxis: axis({ type: "value", name: "MB", nameGap: 44, min: 0 }),
      series: kinds[kind.value].rows.map((row) => {
        const index = indexOf(row.variant);
        return { type: "line", name: row.variant, data: row.values, connectNulls: true, symbol: symbol(index), symbolSize: 8, lineStyle: { color: colour(index), width: 2 }, itemStyle: { color: colour(index) } };
      }),
    }));
    kind.addEventListener("change", memory.redraw);
  }

  if (data.sizes.length) {
    draw("chart-sizes", () => ({
      ...frame(),
      grid: leftGrid({ top: 34 }),
      tooltip: { ...frame().tooltip, formatter: ({ name, seriesName, value }) => lines(name, `${seriesName}: ${digits(value, 4)} MB`) },
      xAxis: axis({ type: "value", name: "MB", nameGap: 28 }),
      yAxis: nameAxis(),
      series: [["file", "file", 0.45], ["compressed", "as an .ipa compresses it", 1]].map(([field, name, opacity]) => ({
        type: "bar", name, barMaxWidth: 16, barGap: "12%", color: ink("muted"),
        data: data.sizes.map((one) => ({ value: one[field], itemStyle: { color: faded(colour(indexOf(one.variant)), opacity) } })),
        label: { show: true, position: "right", color: ink("muted"), formatter: ({ value }) => digits(value) },
      })),
    }));
  }

  const measures = ["top-1 agreement", "top-5 agreement", "accuracy"].filter((name) => data.agreement.some((one) => one[name]));
  if (data.agreement.length) {
    const known = data.agreement.flatMap((one) => measures.map((name) => one[name]).filter(Boolean));
    const least = Math.min(...known.map((ends) => ends[1]));
    const limits = tradeoff.limits_y;
    draw("chart-agreement", () => ({
      ...frame(),
      grid: leftGrid({ top: 34 }),
      tooltip: { ...frame().tooltip, formatter: ({ seriesName, value }) => lines(names[value[1]], `${seriesName} ${percent(value[0])} [${percent(value[2])}, ${percent(value[3])}]`) },
      xAxis: axis({ type: "value", min: Math.max(0, Math.floor(20 * least) / 20), max: 1, name: "share of the inputs", nameGap: 28, axisLabel: { color: ink("muted"), hideOverlap: true, formatter: (value) => `${digits(100 * value)} %` } }),
      yAxis: nameAxis(),
      series: measures.map((name, order) => ({
        type: "custom", name, color: colour([0, 2, 1][order]),
        data: data.agreement.flatMap((one, index) => (one[name] ? [[one[name][0], index, one[name][1], one[name][2]]] : [])),
        encode: { x: [0, 2, 3], y: 1 },
        ...(order === 0 && limits.length ? { markLine: { silent: true, symbol: "none", lineStyle: { color: ink("fail"), type: "solid" }, label: { show: false }, data: limits.map((limit) => ({ xAxis: limit.value })) } } : {}),
        renderItem: (params, api) => {
          const y = api.coord([0, api.value(1)])[1] + (order - (measures.length - 1) / 2) * 14;
          const [mid, low, high] = [0, 2, 3].map((field) => api.coord([api.value(field), api.value(1)])[0]);
          const stroke = colour([0, 2, 1][order]);
          return {
            type: "group",
            children: [
              { type: "rect", shape: { x: low - 4, y: y - 6, width: high - low + 8, height: 12 }, style: { fill: "transparent" } },
              { type: "line", shape: { x1: low, x2: high, y1: y, y2: y }, style: { stroke, lineWidth: 3, opacity: 0.45, lineCap: "round" } },
              { type: "circle", shape: { cx: mid, cy: y, r: 5 }, style: { fill: stroke } },
            ],
          };
        },
      })),
    }));
  }
})();
