// Every sample, in time order: read from compressed columns, thinned to what the screen can tell apart, opened one by one.
"use strict";
(async () => {
  const { data, draw, frame, axis, logarithmic, ink, colour, symbol, lines, milliseconds, digits, isNarrow } = charts;
  const browser = document.getElementById("sample-browser");
  if (!browser || !data.samples.length) return;
  const byId = (id) => document.getElementById(id);

  // See sample_columns.py: base64, deflate, bytes by significance.
  const integers = async (packed, count) => {
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const planes = new Uint8Array(await new Response(stream).arrayBuffer());
    const found = new Uint32Array(count);
    for (let index = 0; index < count; index += 1) {
      found[index] = planes[index] | (planes[count + index] << 8) | (planes[2 * count + index] << 16) | (planes[3 * count + index] << 24);
    }
    return found;
  };
  const summed = async (packed, count) => {
    const found = await integers(packed, count);
    for (let index = 1; index < count; index += 1) found[index] += found[index - 1];
    return found;
  };

  let series;
  try {
    series = await Promise.all(data.samples.map(async (one) => {
      const [latencies, inputs, started] = await Promise.all([integers(one.latencies, one.shown), summed(one.inputs, one.shown), summed(one.started, one.shown)]);
      const numbers = one.numbers ? await summed(one.numbers, one.shown) : null;
      return { ...one, latencies, inputs, started, numbers, index: Math.max(data.variants.indexOf(one.variant), 0), visible: true };
    }));
  } catch (problem) {
    byId("chart-samples").textContent = "This browser cannot unpack the samples; any of 2023 or later can.";
    return;
  }
  const number = (one, at) => (one.numbers ? one.numbers[at] : at);
  const latency = (one, at) => one.latencies[at] * one.unit_ns / 1e6;
  const seconds = (one, at) => one.started[at] * one.tick_ns / 1e9;
  const stretch = (one, at) => {
    const wanted = number(one, at);
    let low = 0;
    let high = one.stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (one.stretches[middle][0] <= wanted) low = middle; else high = middle - 1;
    }
    const [, , round, attempt, steady] = one.stretches[low];
    return { round, attempt, steady };
  };
  const describe = (one, at) => {
    const { round, attempt, steady } = stretch(one, at);
    const input = data.input_names[one.inputs[at]];
    return [
      `${one.variant}, sample ${(number(one, at) + 1).toLocaleString("en")} of ${one.total.toLocaleString("en")}: ${milliseconds(latency(one, at))}`,
      `${steady ? "steady" : "warm-up"}, round ${round + 1}${attempt ? `, attempt ${attempt + 1}` : ""}, ${digits(seconds(one, at), 5)} s into the run`,
      `input ${one.inputs[at]}${input ? `: ${input}` : ""}`,
    ];
  };

  const order = byId("samples-axis");
  const place = (one, at) => (order.value === "time" ? seconds(one, at) : number(one, at) + 1);
  const end = () => Math.max(...series.map((one) => (one.shown ? place(one, one.shown - 1) : 0)));
  const every = series.flatMap((one) => (one.shown ? [one.latencies.reduce((a, b) => Math.min(a, b)), one.latencies.reduce((a, b) => Math.max(a, b))].map((value) => value * one.unit_ns / 1e6) : []));
  const reach = [0.94 * Math.min(...every), 1.06 * Math.max(...every)];
  let view = [0, 1];
  let opened = null;

  // Of each two pixels' worth of samples the fastest and the slowest: nothing that could be seen is left out.
  const thinned = (one) => {
    const [low, high] = view.map((share) => share * end());
    let first = 0;
    let last = one.shown;
    while (first < last && place(one, first) < low) first += 1;
    while (last > first && place(one, last - 1) > high) last -= 1;
    const columns = Math.max(60, Math.floor(byId("chart-samples").clientWidth / 2));
    const width = Math.max(1, Math.ceil((last - first) / columns));
    const chosen = [];
    for (let begin = first; begin < last; begin += width) {
      const past = Math.min(begin + width, last);
      if (width <= 2) { for (let at = begin; at < past; at += 1) chosen.push(at); continue; }
      let fastest = begin;
      let slowest = begin;
      for (let at = begin; at < past; at += 1) {
        if (one.latencies[at] < one.latencies[fastest]) fastest = at;
        if (one.latencies[at] > one.latencies[slowest]) slowest = at;
      }
      chosen.push(...(fastest === slowest ? [fastest] : [Math.min(fastest, slowest), Math.max(fastest, slowest)]));
    }
    return chosen.map((at) => {
      const { steady } = stretch(one, at);
      return {
        value: [place(one, at), latency(one, at)], at,
        itemStyle: steady ? { color: colour(one.index), opacity: 0.55 } : { color: ink("card"), borderColor: colour(one.index), borderWidth: 1.5, opacity: 1 },
        symbolSize: steady ? 5 : 7,
      };
    });
  };
  const plotted = () => series.filter((one) => one.visible).map((one) => ({
    type: "scatter", id: one.variant, name: one.variant, symbol: symbol(one.index), data: thinned(one), color: colour(one.index),
    tooltip: { formatter: (item) => lines(...describe(one, item.data.at)) },
    markPoint: opened && opened.one === one ? {
      silent: true, symbol: "circle", symbolSize: 18, label: { show: false }, itemStyle: { color: "transparent", borderColor: ink("ink"), borderWidth: 2 },
      data: [{ coord: [place(one, opened.at), latency(one, opened.at)] }],
    } : undefined,
  }));
  const drawing = draw("chart-samples", () => ({
    ...frame(),
    legend: { show: false },
    grid: { left: 62, right: 18, top: 14, bottom: 92 },
    xAxis: axis({ type: "value", min: 0, max: end(), name: order.value === "time" ? "seconds since the run began" : "sample number", nameGap: 26, splitLine: { show: false }, axisLabel: { color: ink("muted"), hideOverlap: true, showMaxLabel: false, formatter: (value) => digits(value, 4) } }),
    yAxis: logarithmic(...reach, { name: "latency, ms", nameGap: 44, splitLine: { show: true, lineStyle: { color: ink("line"), opacity: 0.6 } } }),
    dataZoom: [
      { type: "inside", filterMode: "none", start: 100 * view[0], end: 100 * view[1], zoomOnMouseWheel: "ctrl", moveOnMouseMove: true },
      { type: "slider", filterMode: "none", start: 100 * view[0], end: 100 * view[1], bottom: 12, height: 26, borderColor: ink("line"), textStyle: { color: ink("muted") }, labelFormatter: (value) => digits(value, 4), brushSelect: !isNarrow() },
    ],
    series: plotted(),
  }));
  let pending = 0;
  const refresh = () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => drawing.chart.setOption({ series: plotted() }, { replaceMerge: ["series"] }));
  };
  drawing.chart.on("datazoom", () => {
    const { start, end: stop } = drawing.chart.getOption().dataZoom[0];
    view = [start / 100, stop / 100];
    refresh();
  });
  order.addEventListener("change", () => { view = [0, 1]; drawing.redraw(); });

  const chosenVariants = byId("samples-variants");
  for (const one of series) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => { one.visible = box.checked; refresh(); });
    const swatch = document.createElement("span");
    swatch.textContent = one.variant;
    const paint = () => { swatch.style.color = colour(one.index); };
    paint();
    document.addEventListener("theme", paint);
    label.append(box, swatch);
    chosenVariants.append(label);
  }

  const variant = byId("sample-variant");
  const entry = byId("sample-number");
  const details = byId("sample-details");
  series.forEach((one, index) => variant.append(new Option(one.variant, index)));
  const current = () => series[variant.value];
  const open = (one, at) => {
    if (!one.shown) return;
    const kept = Math.min(Math.max(at, 0), one.shown - 1);
    opened = { one, at: kept };
    variant.value = series.indexOf(one);
    entry.max = one.total;
    entry.value = number(one, kept) + 1;
    details.textContent = describe(one, kept).join(". ");
    refresh();
  };
  // Where the page holds a part of the samples, the nearest that it holds.
  const nearest = (one, wanted) => {
    if (!one.numbers) return wanted;
    let at = one.numbers.findIndex((held) => held >= wanted);
    if (at < 0) at = one.shown - 1;
    return at;
  };
  const step = (by) => open(current(), (opened && opened.one === current() ? opened.at : 0) + by);
  entry.addEventListener("change", () => open(current(), nearest(current(), Math.max(Number(entry.value) || 1, 1) - 1)));
  variant.addEventListener("change", () => open(current(), 0));
  byId("sample-previous").addEventListener("click", () => step(-1));
  byId("sample-next").addEventListener("click", () => step(1));
  byId("sample-slowest").addEventListener("click", () => {
    const one = current();
    const bySlowness = Array.from(one.latencies.keys()).sort((a, b) => one.latencies[b] - one.latencies[a]);
    const rank = opened && opened.one === one && one.walking ? bySlowness.indexOf(opened.at) + 1 : 0;
    one.walking = true;
    open(one, bySlowness[rank % bySlowness.length]);
  });
  drawing.chart.on("click", (item) => {
    const one = series.find((other) => other.variant === item.seriesName);
    if (one) open(one, item.data.at);
  });
  browser.hidden = false;
  entry.max = current().total;

  const thermal = { nominal: 0, fair: 1, serious: 2, critical: 3 };
  const weather = data.weather.filter((one) => one[1] != null || (one[2] && one[2] !== "nominal"));
  byId("weather").hidden = weather.length < 2;
  if (weather.length > 1) {
    draw("chart-weather", () => ({
      ...frame(),
      grid: { left: 62, right: 18, top: 28, bottom: 22 },
      tooltip: { ...frame().tooltip, trigger: "axis", formatter: (items) => lines(`${digits(items[0].value[0], 5)} s`, ...items.map((item) => `${item.seriesName}: ${item.value[2] || `${digits(100 * item.value[1])} %`}`)) },
      xAxis: axis({ type: "value", min: 0, max: Math.max(...series.map((one) => (one.shown ? seconds(one, one.shown - 1) : 0))), splitLine: { show: false }, axisLabel: { color: ink("muted"), showMaxLabel: false, formatter: (value) => digits(value, 4) } }),
      yAxis: axis({ type: "value", min: 0, max: 1, interval: 0.5, axisLabel: { color: ink("muted"), formatter: (value) => `${100 * value} %` } }),
      series: [
        { type: "line", name: "processor used by others", step: "middle", symbol: "none", color: ink("muted"), lineStyle: { color: ink("muted"), width: 1.2 }, areaStyle: { color: ink("muted"), opacity: 0.15 }, data: weather.filter((one) => one[1] != null).map((one) => [one[0], one[1], null]) },
        { type: "line", name: "thermal state", step: "end", symbol: "none", color: ink("fail"), lineStyle: { color: ink("fail"), width: 1.6 }, data: data.weather.filter((one) => one[2]).map((one) => [one[0], thermal[one[2]] / 3, one[2]]) },
      ].filter((one) => one.data.length),
    }));
  }
})();
