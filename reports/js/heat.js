// The heat map: rows and columns are the values of two keys; a box has ratio, interval and verdict of its cells.
farm.heat = (model, against, cells, { rows, cols, sort }, width) => {
  const { make, words } = farm;
  const parts = (name) => {
    if (name === "device, model") {
      const device = model.key("device"), kind = model.key("model"), seen = new Map();
      return { of: (cell) => { const code = device.codes[cell] * kind.values.length + kind.codes[cell]; if (!seen.has(code)) seen.set(code, `${device.text(cell)}, ${kind.text(cell)}`); return [seen.get(code)]; } };
    }
    if (name === "variant and build") return { of: (cell) => [model.column(cell)] };
    const key = model.key(name);
    return { of: (cell) => (key.isList ? key.text(cell).split(", ") : [key.text(cell)]).map((text) => text || "\u2013") };
  };
  const down = parts(rows), across = parts(cols);
  const boxes = new Map(), wide = new Map();
  let isMixed = false;
  for (const cell of cells) for (const row of down.of(cell)) for (const column of across.of(cell)) {
    if (!boxes.has(row)) boxes.set(row, new Map());
    wide.set(column, true);
    const found = boxes.get(row).get(column);
    if (found) { found.push(cell); isMixed = true; } else boxes.get(row).set(column, [cell]);
  }
  const collator = new Intl.Collator("en", { numeric: true });
  const MOST = 60;
  const planned = cols === "variant and build" ? model.columns() : ["variant", "build"].includes(cols) ? model.key(cols).values : null;
  const places = new Map(planned?.map((name, at) => [name, at]));
  const heads = [...wide.keys()].sort(planned ? (a, b) => places.get(a) - places.get(b) : collator.compare), shown = heads.slice(0, MOST);
  const worst = (list) => list.reduce((a, b) => (weight(b) < weight(a) ? b : a));
  const weight = (cell) => (model.status[cell] ? 2.5 : against.verdict[cell]);
  const ratio = (list) => {
    const logs = list.map((cell) => Math.log(1 + against.change[cell])).filter(Number.isFinite);
    return logs.length ? Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length) : NaN;
  };
  const names = [...boxes.keys()].sort(collator.compare);
  const sign = sort.startsWith("-") ? -1 : 1, by = /^-?at:(.*)$/s.exec(sort);
  if (by) {
    const value = (name) => { const list = boxes.get(name).get(by[1]); const found = list ? ratio(list) : NaN; return Number.isNaN(found) ? Infinity : sign * found; };
    const values = new Map(names.map((name) => [name, value(name)]));
    names.sort((a, b) => values.get(a) - values.get(b));
  } else if (sort === "-rows") names.reverse();
  const order = (name) => (sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none");
  const strength = (value) => { const size = Math.abs(Math.log(value)); return size >= 0.2 ? 3 : size >= 0.08 ? 2 : 1; };
  const box = (list) => {
    if (!list) return make("span", { class: "box absent", title: "not in this run" }, "\u00b7");
    const cell = worst(list), value = ratio(list), [word, symbol] = words.state(model, against, cell);
    const range = list.length === 1 ? words.range(against.low[cell], against.high[cell]) : `${list.length} cells`;
    const kind = word.replace(" ", "-");
    const tone = Number.isFinite(value) && ["slower", "faster"].includes(word) ? ` tone-${strength(value)}` : "";
    const number = Number.isFinite(value) ? `\u00d7 ${value.toFixed(value < 0.1 ? 3 : 2)}` : model.status[cell] ? "" : `${words.ms(model.median[cell])} ms`;
    return make("span", { class: `box ${kind}${tone}` }, make("b", {}, number), " ",
      make("span", { class: "word" }, make("span", { "aria-hidden": "true" }, symbol), " ", word), make("small", {}, range));
  };
  return {
    id: "h", count: names.length, height: 54, isMixed, left: heads.length - shown.length, least: `${(width < 620 ? 7 : 14) + 10.6 * shown.length}rem`,
    columns: [
      { label: rows, sort: "rows", order: order("rows"), width: width < 620 ? "7rem" : "14rem", className: "row-head", cell: (index) => make("span", { class: "name", title: names[index] }, names[index]) },
      ...shown.map((name) => ({ label: name, sort: `at:${name}`, order: order(`at:${name}`), width: `minmax(10.6rem, ${shown.length > 5 ? "1fr" : "17rem"})`, cell: (index) => box(boxes.get(names[index]).get(name)) })),
    ],
    detail: (index, column) => {
      const list = boxes.get(names[index]).get(shown[Math.max(column - 1, 0)]) ?? [...boxes.get(names[index]).values()][0];
      return make("div", {}, ...list.slice(0, 5).map((cell) => farm.detail(model, against, cell)),
        list.length > 5 ? make("p", { class: "quiet" }, `${list.length - 5} more: the table has them.`) : null);
    },
  };
};
