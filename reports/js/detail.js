// What an open row shows: the comparison in words, rounds in run order, what differs in context, command, log.
farm.detail = (model, against, cell) => {
  const { make, words } = farm;
  const base = against.base[cell], place = against.duel[cell];
  const duel = place >= 0 ? model.duel(place) : null;
  const anchor = `cell-${cell + 1}`;

  const sentence = () => {
    if (model.status[cell] !== 0) return model.why(cell) || "no times";
    if (duel?.why) return duel.why;
    const change = words.percent(against.change[cell]);
    if (!change) return `${words.ms(model.median[cell])} ms; not compared with anything`;
    const range = words.range(against.low[cell], against.high[cell]);
    const whom = base >= 0 ? model.name(base) : `run ${duel?.run}`;
    if (!duel) return `${change} against ${whom}${range ? ` (from the intervals of both medians: ${range})` : ""}. The run did not compare these two: this is no verdict.`;
    const number = `${duel.n} ${duel.isFresh ? "fresh " : ""}${duel.isPaired ? "pairs" : "rounds a side"}`;
    return `${change}${range ? ` (95 %: ${range})` : ""} against ${whom}, ${number}`;
  };

  const plot = () => {
    const sides = [[cell, "round"], ...(base >= 0 ? [[base, "other"]] : [])].map(([one, name]) => [model.rounds(one), name]);
    const all = sides.flatMap(([values]) => values).filter(Number.isFinite);
    if (all.length < 2) return null;
    const low = Math.min(...all), high = Math.max(...all), longest = Math.max(...sides.map(([values]) => values.length));
    const text = sides.map(([values, name]) => `${name === "round" ? "this" : "baseline"}: ${values.map(words.ms).join(", ")} ms`).join("; ");
    const caption = base >= 0 ? "Rounds in the order in which they ran, ms: \u25cf this, \u25cb the baseline" : "Rounds in the order in which they ran, ms";
    if (longest > model.data.mostDots) return make("figure", { class: "run-order" },
      farm.zoom(sides, `${caption}, ${longest} rounds`), make("figcaption", {}, `${caption}. Drag over a part to see it large, double click for all; keys + - \u2190 \u2192 0.`));
    const svg = make("svg:svg", { role: "img", width: "100%", height: "72", "aria-label": `Rounds in the order in which they ran, ${text}` }, make("svg:title", {}, text));
    for (const [values, name] of sides.reverse()) values.forEach((value, index) => {
      if (!Number.isFinite(value)) return;
      const y = high > low ? (high - value) / (high - low) : 0.5;
      svg.append(make("svg:circle", { class: name, cx: `${1 + 98 * (longest > 1 ? index / (longest - 1) : 0.5)}%`, cy: 5 + 62 * y, r: "3" }));
    });
    return make("figure", { class: "run-order" },
      make("div", { class: "plot" }, make("span", { class: "high" }, words.ms(high)), make("span", { class: "low" }, words.ms(low)), svg),
      make("figcaption", {}, caption));
  };

  const context = () => {
    const rows = [];
    const add = (name, here, there, usual) => rows.push([name, here, there, usual]);
    for (const key of model.keys) {
      if (key.isContext || key.name === "device" || base < 0) continue;
      if (key.text(cell) !== key.text(base)) add(key.name, key.text(cell), key.text(base), "");
    }
    for (const fact of model.context) {
      const here = fact.of(cell), usual = fact.usual();
      if (fact.isCompared && here && usual && here !== usual) add(fact.name, here, base >= 0 ? fact.of(base) : "", usual);
    }
    if (!rows.length) return make("p", { class: "quiet" }, base >= 0 ? "Nothing that farm knows differs." : "Nothing differs from most devices.");
    const heads = ["Fact", "This cell", ...(base >= 0 ? ["Baseline"] : []), "Most devices"];
    return make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "What differs in context" }, make("table", { class: "context" },
      make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows.map(([name, here, there, usual]) => make("tr", {}, make("th", { scope: "row" }, name),
        ...[here, ...(base >= 0 ? [there] : []), usual].map((text) => make("td", {}, text || "\u2013")))))));
  };

  const command = (text) => {
    const box = make("div", { class: "command" }, make("pre", { tabindex: "0", "aria-label": "Command that repeats this cell" }, make("code", {}, text)));
    farm.copyable(box);
    return box;
  };
  const numbers = [["median", model.median], ["p90", model.p90], ["first inference", model.first], ["load", model.load]]
    .map(([name, column]) => [name, words.ms(column[cell])]).filter(([, text]) => text)
    .map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, `${text} ms`)));
  const quality = model.quality(cell), log = model.log(cell), repeat = model.command(cell);
  const isInside = !/(^|\/)\.\.(\/|$)|^\/|[:\\]/.test(log);
  const links = [
    make("a", { href: model.data.isLarge ? `./cells/${anchor}.html` : `#${anchor}` }, "All of this cell"),
    log && isInside ? make("a", { href: `./${log.split("/").map(encodeURIComponent).join("/")}` }, "Log") : null,
  ];
  return make("div", { class: "opened" },
    make("p", { class: "said" }, words.badge(model, against, cell), " ", make("b", {}, model.name(cell)), ": ", sentence()),
    ...[duel?.notes, quality ? `\u2248 ${quality}` : ""].filter(Boolean).map((text) => make("p", { class: "quiet" }, text)),
    make("p", { class: "links-row" }, ...links.filter(Boolean)),
    make("div", { class: "columns" },
      make("div", {}, numbers.length ? make("dl", { class: "facts" }, ...numbers) : null, plot()),
      make("div", {}, make("h3", {}, "What differs in context"), duel?.differences ? make("p", {}, `\u2260 ${duel.differences}`) : null, context())),
    ...(repeat ? [make("h3", {}, "Repeat it by hand"), command(repeat)] : []));
};
