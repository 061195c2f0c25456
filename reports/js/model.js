// The cells as columns of numbers: what filtering, sorting, grouping and another baseline compute on.
farm.model = (data) => {
  const size = data.cells;
  const spread = (codes, length = size) =>
    Array.isArray(codes) ? codes : new Array(length).fill(codes);
  const order = new Intl.Collator("en", { numeric: true });
  const ranked = (values) => {
    const places = values.map((_, code) => code).sort((a, b) => order.compare(values[a], values[b]));
    const ranks = new Uint32Array(values.length);
    places.forEach((code, rank) => { ranks[code] = rank; });
    return ranks;
  };
  const key = ({ name, values, codes, isOption = false, isList = false, isContext = false }) => ({
    name, values, codes: Uint32Array.from(spread(codes)), isOption, isList, isContext,
    text(cell) { return this.values[this.codes[cell]]; },
    ranks() { return this.known ??= ranked(this.values); },
  });
  const places = spread(data.device);
  const context = data.context.map(({ name, values, codes, isCompared }) => ({
    name, values, isCompared, codes: spread(codes, data.contextDevices.length),
    of(cell) { return places[cell] < 0 ? "" : this.values[this.codes[places[cell]]]; },
    usual() {
      if (this.most === undefined) {
        const counts = new Map();
        for (const code of this.codes) counts.set(code, (counts.get(code) || 0) + 1);
        this.most = this.values[[...counts].sort((a, b) => b[1] - a[1])[0]?.[0]] ?? "";
      }
      return this.most;
    },
  }));
  const keys = data.keys.map(key);
  for (const fact of context) {
    if (!fact.isCompared || fact.values.length < 3) continue; // "" and one value: it groups nothing
    const codes = places.map((place) => (place < 0 ? 0 : fact.codes[place]));
    keys.push(key({ name: fact.name, values: fact.values, codes, isContext: true }));
  }
  const numbers = (column) => Float64Array.from(spread(column), (value) => value ?? NaN);
  const median = numbers(data.median);
  const bound = (column) => numbers(column).map((value, cell) => median[cell] + value * data.step * (median[cell] || 1));
  const starts = new Uint32Array(size + 1);
  spread(data.counts).forEach((count, cell) => { starts[cell + 1] = starts[cell] + count; });
  const text = (column) => ({ values: column.values, codes: spread(column.codes) });
  const named = (column) => {
    const { values, codes } = text(column);
    return (cell) => {
      const marks = [data.addresses[places[cell]] ?? "", ...["device", "model", "variant"].map((name) => model.key(name).text(cell))];
      return values[codes[cell]].replace(/[\x01-\x04]/g, (mark) => marks[mark.charCodeAt(0) - 1]);
    };
  };
  const said = (column) => { const { values, codes } = text(column); return (cell) => values[codes[cell]]; };

  const duels = data.duels;
  const total = duels.candidate.length;
  const model = {
    data, size, keys, context, median, total,
    low: bound(data.low), high: bound(data.high),
    p90: numbers(data.p90), first: numbers(data.first), load: numbers(data.load),
    status: Uint8Array.from(spread(data.status)),
    why: said(data.why), quality: said(data.quality), command: named(data.command), log: named(data.log),
    key: (name) => keys.find((one) => one.name === name),
    rounds: (cell) => data.rounds.slice(starts[cell], starts[cell + 1])
      .map((steps) => (steps === null ? NaN : median[cell] + steps * data.step * (median[cell] || 1))),
    duel(place) {
      const column = (name) => said({ values: duels[name].values, codes: spread(duels[name].codes, total) })(place);
      return { run: column("run"), why: column("why"), differences: column("differences"), notes: column("notes"),
        n: spread(duels.n, total)[place], isFresh: spread(duels.isFresh, total)[place], isPaired: spread(duels.isPaired, total)[place] };
    },
    columns() { return this.planned ??= [...new Set(Array.from({ length: size }, (_, cell) => model.column(cell)))]; },
    name: (cell) => [model.key("device").text(cell), model.key("model").text(cell), model.column(cell)].join(" / "),
    column(cell) {
      const build = model.key("build").text(cell);
      return model.key("variant").text(cell) + (model.key("build").values.length > 2 ? `@${build}` : "");
    },
  };

  // Verdicts: those of the comparisons, in the order of the page, then what is none.
  model.verdicts = [...data.verdicts, ["no verdict", "\u00b7"], ["baseline", "\u25cb"]];
  const NONE = data.verdicts.length;
  model.NONE = NONE;
  model.BASELINE = NONE + 1;
  const UNCHANGED = data.verdicts.findIndex(([word]) => word === "unchanged");
  const opposite = data.verdicts.map(([word]) => data.verdicts.findIndex(([other]) => other === ({ slower: "faster", faster: "slower" }[word] ?? word)));

  const verdict = spread(duels.verdict, total), run = spread(duels.run.codes, total);
  const effect = (column) => numbers(duels[column].length ? duels[column] : []).map((steps) => steps * data.step);
  const ratio = effect("ratio"), low = effect("low"), high = effect("high");

  model.baselines = () => {
    const made = [["", total ? "as compared in this run" : `the first variant, ${model.key("variant").text(0)}`]];
    for (const name of duels.run.values.slice(1)) made.push([`run:${name}`, `run ${name}`]);
    for (const name of ["variant", "build", "model"]) {
      const { values } = model.key(name);
      if (values.length > 2) for (const value of values.slice(1)) made.push([`${name}:${value}`, `${name} ${value}`]);
    }
    return made;
  };

  // What each cell is against a baseline: by a comparison of the run, or else by the two medians (no verdict).
  model.against = (choice) => {
    const made = {
      verdict: new Uint8Array(size).fill(NONE), change: new Float64Array(size).fill(NaN),
      low: new Float64Array(size).fill(NaN), high: new Float64Array(size).fill(NaN),
      before: new Float64Array(size).fill(NaN), base: new Int32Array(size).fill(-1),
      duel: new Int32Array(size).fill(-1), place: new Float64Array(size).fill(Infinity),
    };
    const take = (cell, place, isInverse) => {
      if (made.duel[cell] >= 0) return;
      made.duel[cell] = made.place[cell] = place;
      made.verdict[cell] = isInverse ? opposite[verdict[place]] : verdict[place];
      const turned = (value) => (isInverse ? 1 / (1 + value) - 1 : value);
      made.change[cell] = turned(ratio[place]);
      made.low[cell] = turned(isInverse ? high[place] : low[place]);
      made.high[cell] = turned(isInverse ? low[place] : high[place]);
      const base = isInverse ? duels.candidate[place] : duels.baseline[place];
      made.base[cell] = base;
      made.before[cell] = base >= 0 ? median[base] : duels.before[place] ?? NaN;
    };
    const [kind, wanted] = choice ? [choice.slice(0, choice.indexOf(":")), choice.slice(choice.indexOf(":") + 1)] : [];
    if (kind === "run" || (!choice && total)) {
      for (let place = 0; place < total; place += 1) {
        if (duels.candidate[place] < 0) continue;
        if (!choice || duels.run.values[run[place]] === wanted) take(duels.candidate[place], place, false);
      }
      if (!choice) for (const base of duels.baseline) if (base >= 0 && made.duel[base] < 0) made.verdict[base] = model.BASELINE;
      return made;
    }
    const by = ["device", "model", "variant", "build"].map(model.key);
    const changing = model.key(kind ?? "variant");
    const target = choice ? changing.values.indexOf(wanted) : changing.codes[0];
    const rest = (cell) => by.reduce((sum, one) => sum * one.values.length + (one === changing ? 0 : one.codes[cell]), 0);
    const bases = new Map();
    for (let cell = 0; cell < size; cell += 1) if (changing.codes[cell] === target) bases.set(rest(cell), cell);
    const pairs = new Map();
    for (let place = 0; place < total; place += 1) {
      if (run[place] === 0) pairs.set(duels.baseline[place] * size + duels.candidate[place], place);
    }
    for (let cell = 0; cell < size; cell += 1) {
      const base = bases.get(rest(cell));
      if (base === undefined) continue;
      if (base === cell) { made.verdict[cell] = model.BASELINE; continue; }
      const forth = pairs.get(base * size + cell), back = pairs.get(cell * size + base);
      if (forth !== undefined || back !== undefined) take(cell, forth ?? back, forth === undefined);
      else if (median[base] > 0) {
        made.base[cell] = base;
        made.before[cell] = median[base];
        made.change[cell] = median[cell] / median[base] - 1;
        made.low[cell] = model.low[cell] / model.high[base] - 1;
        made.high[cell] = model.high[cell] / model.low[base] - 1;
      }
    }
    return made;
  };

  // Whether a cell is worth a look: all but what is unchanged, is only a baseline, or differs by less than counts.
  model.isNews = (against, cell) => {
    if (model.status[cell] !== 0) return true;
    const now = against.verdict[cell];
    if (now !== NONE) return now !== UNCHANGED && now !== model.BASELINE;
    return !total ? true : Math.abs(against.change[cell]) >= data.minimumEffect;
  };

  // Cells that have every word, or key=value, of a text. A word may stand in any key or in a failure.
  model.matching = (query) => {
    const kept = new Uint8Array(size).fill(1);
    const search = [...keys, text({ ...data.why })];
    for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
      const at = word.indexOf("=");
      const one = at > 0 && keys.find(({ name }) => name.toLowerCase() === word.slice(0, at));
      const wanted = one ? word.slice(at + 1) : word;
      const hit = (value) => (one ? value.toLowerCase() === wanted : value.toLowerCase().includes(wanted));
      const columns = (one ? [one] : search).map(({ values, codes }) => ({ hits: Uint8Array.from(values, hit), codes })).filter(({ hits }) => hits.includes(1));
      for (let cell = 0; cell < size; cell += 1) {
        if (kept[cell] && !columns.some(({ hits, codes }) => hits[codes[cell]])) kept[cell] = 0;
      }
    }
    return kept;
  };

  model.sorted = (cells, against, sort) => {
    const sign = sort.startsWith("-") ? -1 : 1;
    const name = sort.replace(/^-/, "");
    const found = keys.find((one) => one.name === name);
    let values;
    if (found) { const ranks = found.ranks(); values = (cell) => ranks[found.codes[cell]]; }
    else if (name === "verdict") values = (cell) => against.verdict[cell] + 10 * model.status[cell];
    else if (["change", "before", "low"].includes(name)) values = (cell) => against[name === "low" ? "low" : name][cell];
    else if (["median", "p90", "first", "load"].includes(name)) values = (cell) => model[name][cell];
    else values = (cell) => against.place[cell] < Infinity && against.verdict[cell] < UNCHANGED ? against.place[cell]
      : model.status[cell] !== 0 ? total + model.status[cell]
      : against.place[cell] < Infinity ? 2 * total + 10 + against.place[cell] : 3 * total + 20;
    // Numbers that sort as the values do, with the cell in their lower digits: sorted without a function, which
    // is several times as fast.
    const bits = new Uint32Array(1), float = new Float32Array(bits.buffer);
    const keyed = new Float64Array(cells.length);
    cells.forEach((cell, at) => {
      const value = values(cell);
      float[0] = Number.isNaN(value) ? Infinity : sign * value + 0;
      keyed[at] = (bits[0] >>> 31 ? ~bits[0] >>> 0 : (bits[0] | 0x80000000) >>> 0) * size + cell;
    });
    keyed.sort().forEach((value, at) => { cells[at] = value % size; });
    return cells;
  };
  return model;
};
