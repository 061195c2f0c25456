// Rounds that are too many for dots of an inline figure: a plot of which a part is chosen, with the mouse or with keys.
farm.zoom = (sides, text) => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const count = Math.max(...sides.map(([values]) => values.length));
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const looks = { round: { stroke: colour("--data"), fill: colour("--data") }, other: { stroke: colour("--strong-line"), fill: colour("--paper") } };
  const series = sides.map(([, name]) => ({
    label: name === "round" ? "this" : "baseline",
    value: (_, value) => (value == null ? "\u2013" : `${farm.words.ms(value)} ms`),
    paths: () => null,
    points: { show: true, size: 5, ...looks[name] },
    ...looks[name],
  }));
  const rule = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const place = farm.make("div", { class: "zoom", tabindex: "0", role: "application", "aria-label": text });
  const seen = new ResizeObserver(() => {
    const size = { width: place.clientWidth, height: 200 };
    if (!size.width) return;
    if (place.plot) place.plot.setSize(size);
    else place.plot = new uPlot({
      ...size,
      scales: { x: { time: false } },
      axes: [rule, { ...rule, size: 60 }],
      series: [{ label: "round", value: (_, value) => value ?? "\u2013" }, ...series],
    }, [numbers, ...sides.map(([values]) => numbers.map((_, index) => (Number.isFinite(values[index]) ? values[index] : null)))], place);
  });
  seen.observe(place);

  place.addEventListener("keydown", (event) => {
    const { plot } = place;
    const way = { "+": [0.25, -0.25], "-": [-0.5, 0.5], ArrowLeft: [-0.25, -0.25], ArrowRight: [0.25, 0.25], 0: [-Infinity, Infinity] }[event.key];
    if (!plot || !way) return;
    event.preventDefault();
    event.stopPropagation(); // the table has keys of its own
    const { min, max } = plot.scales.x;
    const width = max - min;
    let [low, high] = [min + way[0] * width, max + way[1] * width];
    if (way[0] === way[1]) { // moved, not zoomed: the width stays
      low = Math.min(Math.max(low, 1), count - width);
      high = low + width;
    }
    plot.setScale("x", { min: Math.max(low, 1), max: Math.min(high, count) });
  });
  return place;
};
