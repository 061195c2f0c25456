// The columns of the table of cells: as many as the width holds, the first ones first.
farm.table = (model, against, cells, width, sort) => {
  const { make, words } = farm;
  const strip = (cell) => {
    const values = model.rounds(cell).filter(Number.isFinite);
    if (!values.length) return "";
    const before = against.before[cell], all = Number.isFinite(before) ? [...values, before] : values;
    const low = Math.min(...all), range = Math.max(...all) - low;
    const x = (value) => `${(4 + 92 * (range ? (value - low) / range : 0.5)).toFixed(1)}%`;
    const every = Math.ceil(values.length / 60);
    return make("svg:svg", { class: "dots", width: "100%", height: "14", "aria-hidden": "true" },
      Number.isFinite(before) ? make("svg:line", { class: "reference", x1: x(before), x2: x(before), y1: 0, y2: 14 }) : null,
      ...values.filter((_, index) => index % every === 0).map((value) => make("svg:circle", { class: "round", cx: x(value), cy: 7, r: 2 })));
  };
  const at = (show) => (index) => show(cells[index]);
  const key = (name) => at((cell) => make("span", { class: "name", title: model.key(name).text(cell) }, model.key(name).text(cell)));
  const isSmall = width < 620;
  const order = (name) => (sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none");
  const has = (name) => model.key(name) && model.key(name).values.length > 2;
  const isCompared = against.change.some(Number.isFinite);
  const state = { label: "Verdict", isNarrow: isSmall, sort: isSmall ? null : "verdict", need: isSmall ? 2 : 8, rank: 0, cell: at((cell) => words.badge(model, against, cell, isSmall)) };
  const whole = { label: "Cell", sort: "device", need: 10, grow: 1, rank: 0, className: "two-lines", cell: at((cell) => make("span", { class: "name" },
    make("b", {}, model.key("device").text(cell)), make("br"), `${model.key("model").text(cell)} / ${model.column(cell)}`)) };
  const number = (label, name, need, rank, column) => ({ label, sort: name, need, rank, className: "number", cell: at((cell) => words.ms(column[cell])) });
  const all = [
    state,
    ...(isSmall ? [whole] : [
      { label: "Device", sort: "device", need: 8, grow: 1, rank: 0, cell: key("device") },
      { label: "Model", sort: "model", need: 9, grow: 1.4, rank: 0, cell: key("model") },
      { label: "Variant", sort: "variant", need: 8, grow: 1.4, rank: 0, cell: key("variant") },
      has("build") && { label: "Build", sort: "build", need: 6, grow: 0.6, rank: 1, cell: key("build") },
    ]),
    isCompared && { label: "Change", sort: "change", need: 5.6, rank: 0, className: "number", cell: at((cell) => words.percent(against.change[cell])) },
    isCompared && { label: "95 % interval", sort: "low", need: 10, rank: 2, cell: at((cell) => words.range(against.low[cell], against.high[cell])) },
    number("Now, ms", "median", 6, isCompared ? 1 : 0, model.median),
    isCompared && { ...number("Before, ms", "before", 7, 3, against.before) },
    { label: "Rounds", need: 11, grow: 1, rank: 4, cell: at(strip) },
    model.p90.some(Number.isFinite) && number("p90, ms", "p90", 6.5, 6, model.p90),
    (model.data.quality.values.length > 1 || model.data.why.values.length > 1) && { label: "Quality, reason", need: 13, grow: 1, rank: 5, cell: at((cell) => model.quality(cell) || (model.status[cell] ? model.why(cell) : "")) },
    model.first.some(Number.isFinite) && number("First, ms", "first", 7, 7, model.first),
    model.load.some(Number.isFinite) && number("Load, ms", "load", 7, 8, model.load),
    ...model.keys.slice(4).filter(({ values }) => values.length > 2).map(({ name, values }, place) => (
      { label: name, sort: name, need: Math.min(Math.max(0.55 * name.length + 2.2, ...values.slice(0, 99).map(({ length }) => 0.5 * length + 1)), 16), rank: 10 + place, cell: key(name) })),
  ].filter(Boolean);
  let left = width / 15 - 1; // rem
  const kept = new Set();
  for (const one of [...all].sort((a, b) => a.rank - b.rank)) {
    if (one.rank === 0 || left >= one.need) { kept.add(one); left -= one.need; } else break;
  }
  const columns = all.filter((one) => kept.has(one)).map((one) => ({ ...one, order: one.sort && order(one.sort),
    width: one.grow ? `minmax(${one.need}rem, ${one.grow}fr)` : `${one.need}rem` }));
  if (!columns.some(({ grow }) => grow)) columns[1].width = "minmax(0, 1fr)";
  return { id: "t", columns, count: cells.length, height: isSmall ? 48 : 32, detail: (index) => farm.detail(model, against, cells[index]) };
};
