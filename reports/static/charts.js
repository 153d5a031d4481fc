// Line charts with values under the pointer. Each replaces the SVG of its figure and reads the values from the table in it.
"use strict";

const UNITS = {
  count: (value) => Math.round(value).toLocaleString("en"),
  money: (value) => value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
  amount: (value) => value.toLocaleString("en", { minimumFractionDigits: 4, maximumFractionDigits: 4 }),
  rate: (value) => `${(value * 100).toFixed(1)}\u00a0%`,
  per_thousand: (value) => value.toFixed(2),
  ratio: (value) => value.toFixed(2),
  duration: (value) => {
    const units = [["days", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000]];
    const [unit, length] = units.find(([, length]) => Math.abs(value) >= length) ?? ["ms", 1];
    return `${(value / length).toFixed(length > 1 ? 1 : 0)}\u00a0${unit}`;
  },
};
const CHART_HEIGHT = 260;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function readChart(figure) {
  const headings = [...figure.querySelectorAll(".data thead th[data-kind]")];
  // Not the rows of the legend, which a drawn chart has.
  const rows = [...figure.querySelectorAll(".data tbody tr")];
  const value = (cell) => (cell.dataset.value === "" ? null : Number(cell.dataset.value));
  return {
    lines: headings.map((heading) => ({
      label: heading.textContent,
      kind: heading.dataset.kind,
      unit: heading.dataset.unit,
      scale: "right" in heading.dataset ? "right" : "left",
      isDashed: "dashed" in heading.dataset,
    })),
    names: rows.map((row) => row.cells[0].textContent),
    labels: rows.map((row) => row.cells[0].dataset.label),
    values: headings.map((_, at) => rows.map((row) => value(row.cells[at + 1]))),
  };
}

function drawChart(figure) {
  const plot = figure.querySelector(".plot");
  const chart = readChart(figure);
  if (!plot || chart.names.length < 2) return;
  const style = { font: "13px system-ui, sans-serif", stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 } };
  const axes = ["left", "right"].flatMap((scale) => {
    const line = chart.lines.find((line) => line.scale === scale);
    if (!line) return [];
    const values = (_, ticks) => ticks.map((tick) => (tick === null ? "" : UNITS[line.unit](tick)));
    const incrs = line.unit === "count" ? [1, 2, 5].flatMap((n) => [...Array(16).keys()].map((e) => n * 10 ** e)).sort((a, b) => a - b) : undefined;
    return [{ ...style, scale, side: scale === "left" ? 3 : 1, size: 76, values, incrs, grid: scale === "left" ? style.grid : { show: chart.lines.every((line) => line.scale === "right") } }];
  });
  const whole = (_, least, greatest) => [Math.min(0, least ?? 0), Math.max(greatest ?? 1, least ?? 0) * 1.05 || 1];
  const options = {
    width: plot.clientWidth,
    height: CHART_HEIGHT,
    scales: { x: { time: false }, left: { range: whole }, right: { range: whole } },
    axes: [
      { ...style, incrs: [1, 2, 5, 7, 10, 14, 20, 28, 30, 50, 60, 90, 100, 200, 500, 1000], space: 70, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => chart.labels[tick] ?? "") },
      ...axes,
    ],
    series: [
      { label: figure.querySelector(".data thead th").textContent, value: (_, at) => chart.names[at] ?? "" },
      ...chart.lines.map((line) => ({
        label: line.label,
        scale: line.scale,
        stroke: colour(line.kind),
        width: 2,
        dash: line.isDashed ? [6, 4] : undefined,
        points: { show: chart.names.length < 40, size: 5 },
        // Without a pointer the legend has no values, not even a dash.
        value: (_, value, __, at) => (at == null ? "" : value == null ? "\u2013" : UNITS[line.unit](value)),
      })),
    ],
    cursor: { drag: { setScale: false } },
  };
  const drawn = new uPlot(options, [chart.names.map((_, at) => at), ...chart.values], (_, start) => start());
  drawn.root.setAttribute("role", "img");
  drawn.root.setAttribute("aria-label", plot.getAttribute("aria-label") + ". The values are in the table below.");
  plot.replaceChildren(drawn.root);
  figure.classList.add("drawn-by-script");
  figure.drawn?.destroy();
  figure.drawn = drawn;
}

const drawCharts = () => document.querySelectorAll("figure[data-chart]").forEach(drawChart);
drawCharts();
// After live filtering, and for the colours of light and dark mode.
document.addEventListener("content-replaced", drawCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
let resizing;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => document.querySelectorAll("figure[data-chart]").forEach((figure) => figure.drawn?.setSize({ width: figure.querySelector(".plot").clientWidth, height: CHART_HEIGHT })), 150);
});
