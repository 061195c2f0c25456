// The table of all cells: its tools, the state of its view, and the address that restores it.
farm.explorer = (section, model) => {
  const { make, words } = farm;
  const models = model.key("model").values.length > 2, builds = model.key("build").values.length > 2;
  const plain = { v: "table", q: "", f: "", all: model.total ? "" : "1", sort: "", base: "",
    rows: models ? "device, model" : "device", cols: builds ? "variant and build" : "variant", open: "" };
  const state = { ...plain };
  let against = model.against(""), cells = [], hidden = 0, isTouched = false;

  const read = () => {
    const given = new URLSearchParams(location.hash.startsWith("#v=") ? location.hash.slice(1) : "");
    for (const name in plain) state[name] = given.get(name) ?? plain[name];
    if (!pivots.includes(state.rows)) state.rows = plain.rows;
    if (!pivots.includes(state.cols)) state.cols = plain.cols;
    if (!model.baselines().some(([value]) => value === state.base)) state.base = "";
    return location.hash.startsWith("#v=");
  };
  const write = () => {
    if (!isTouched) return; // an address that somebody gave stays until they change the view
    const said = new URLSearchParams({ v: state.v });
    for (const name in plain) if (name !== "v" && state[name] !== plain[name]) said.set(name, state[name]);
    try { history.replaceState(null, "", `#${said}`); } catch { location.replace(`#${said}`); }
  };
  const option = ([value, text]) => make("option", { value }, text);
  const select = (label, name, options) => make("label", {}, `${label} `, make("select", { name }, ...options.map(option)));
  const pivots = [...(models ? ["device, model"] : []), ...(builds ? ["variant and build"] : []), ...model.keys.map(({ name }) => name)];
  const both = pivots.map((name) => [name, name]);
  const states = [...model.verdicts, ...model.data.statuses.slice(1)].map(([word]) => word);
  const tools = make("form", { class: "tools", role: "search" },
    make("label", {}, "Filter ", make("input", { type: "search", name: "q", placeholder: "words, or key=value", autocomplete: "off", spellcheck: "false" })),
    select("Verdict", "f", [["", "any"], ...states.map((word) => [word, word])]),
    select("Against", "base", model.baselines()),
    select("View", "v", [["table", "table"], ["heat", "heat map"]]),
    make("span", { class: "pivot" }, select("rows", "rows", both), " ", select("columns", "cols", both)),
    make("label", { class: "everything" }, make("input", { type: "checkbox", name: "changed" }), " only what changed ", make("span", { class: "hidden-count" })));
  const output = make("output", { "aria-live": "polite" });
  const note = make("p", { class: "legend note", hidden: true });
  const plainly = make("div", { class: "plain" });
  const button = (text, act) => make("button", { type: "button", click: (event) => act(event.currentTarget) }, text);
  const actions = make("p", { class: "actions" }, output,
    button("copy as Markdown", (one) => farm.copy(text("markdown"), one)), button("copy as CSV", (one) => farm.copy(text("csv"), one)),
    button("show all as a plain table", () => { plainly.replaceChildren(plainly.firstChild ? "" : plainTable(Infinity)); }));

  const grid = farm.grid("Cells", (name) => {
    isTouched = true;
    state.sort = state.sort === name ? `-${name}` : state.sort === `-${name}` ? "" : name;
    refresh();
  }, (index) => { isTouched = true; state.open = index < 0 || state.v !== "table" ? "" : String(cells[index] + 1); write(); });

  const HEADS = ["verdict", "device", "model", "variant", "build", "change", "low", "high", "now ms", "before ms", "interval now", "reason"];
  const line = (cell) => [words.state(model, against, cell)[0], ...["device", "model", "variant", "build"].map((name) => model.key(name).text(cell)),
    words.percent(against.change[cell]), words.percent(against.low[cell]), words.percent(against.high[cell]), words.ms(model.median[cell]), words.ms(against.before[cell]),
    Number.isFinite(model.low[cell]) ? `${words.ms(model.low[cell])} to ${words.ms(model.high[cell])}` : "", model.status[cell] ? model.why(cell) : model.quality(cell)];
  const text = (form) => {
    const lines = [...cells].map(line);
    if (form === "csv") {
      const safe = (value) => { const guarded = /^[=@\t\r]|^[+-](?![\d.]+( %)?$)/.test(value) ? `'${value}` : value; return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded; };
      return [HEADS, ...lines].map((one) => one.map(safe).join(",")).join("\r\n");
    }
    const cellOf = (value) => value.replace(/[\\|`*_<>\[\]]/g, "\\$&").replace(/\s+/g, " ");
    return [HEADS, HEADS.map(() => "---"), ...lines.map((one) => one.map(cellOf))].map((one) => `| ${one.join(" | ")} |`).join("\n");
  };
  const plainTable = (most) => make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Cells as a plain table" }, make("table", { class: "plain-table" },
    make("thead", {}, make("tr", {}, ...HEADS.map((one) => make("th", { scope: "col" }, one)))),
    make("tbody", {}, ...[...cells.slice(0, most)].map((cell) => make("tr", {}, ...line(cell).map((value) => make("td", {}, value)))))));

  const choose = () => {
    const matched = model.matching(state.q);
    const found = new Uint32Array(model.size);
    let count = 0;
    hidden = 0;
    for (let cell = 0; cell < model.size; cell += 1) {
      if (!matched[cell]) continue;
      if (state.f && words.state(model, against, cell)[0] !== state.f) continue;
      if (!state.all && !state.f && state.v === "table" && !model.isNews(against, cell)) { hidden += 1; continue; }
      found[count] = cell;
      count += 1;
    }
    cells = found.subarray(0, count);
  };
  const draw = () => {
    const width = section.clientWidth;
    const spec = state.v === "heat" ? farm.heat(model, against, cells, state, width) : farm.table(model, against, cells, width, state.sort);
    grid.box.classList.toggle("heat", state.v === "heat");
    grid.show(spec);
    const said = [];
    if (spec.isMixed) said.push("A box stands for several cells: the ratio is their geometric mean, the verdict the worst of them.");
    if (spec.left) said.push(`${spec.left} more columns are left out: filter, or choose another key.`);
    if (state.base && model.total) said.push("What the run did not compare is shown without a verdict: a ratio of medians, with bounds from the intervals of both.");
    if (!cells.length) said.push(hidden ? "No cell changed. Untick \u201conly what changed\u201d to see all." : "No cell is like this.");
    note.textContent = said.join(" ");
    note.hidden = !said.length;
  };
  const refresh = () => {
    choose();
    plainly.replaceChildren();
    if (state.v === "table") cells = model.sorted(cells, against, state.sort);
    draw();
    output.textContent = `${cells.length.toLocaleString("en")} of ${model.size.toLocaleString("en")} cells`;
    tools.querySelector(".hidden-count").textContent = hidden ? `(${hidden.toLocaleString("en")} hidden)` : "";
    for (const name of ["q", "f", "base", "v", "rows", "cols"]) if (tools.elements[name].value !== state[name]) tools.elements[name].value = state[name];
    tools.elements.changed.checked = !state.all;
    tools.querySelector(".pivot").hidden = state.v !== "heat";
    tools.querySelector(".everything").hidden = state.v === "heat";
    const open = cells.indexOf(Number(state.open) - 1);
    if (state.open && open >= 0 && state.v === "table") { grid.open(open, true); grid.goTo(open); }
    write();
    dispatchEvent(new CustomEvent("farm-filter", { detail: { isActive: Boolean(state.q) || Boolean(state.f), cells } }));
  };
  const change = () => {
    isTouched = true;
    const isOther = state.base !== tools.elements.base.value;
    for (const name of ["q", "f", "base", "v", "rows", "cols"]) state[name] = tools.elements[name].value;
    state.all = tools.elements.changed.checked ? "" : "1";
    if (isOther) against = model.against(state.base);
    refresh();
  };
  const restore = () => { const isOurs = read(); against = model.against(state.base); if (isOurs) refresh(); return isOurs; };
  tools.addEventListener("input", change);
  tools.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { if (location.hash.startsWith("#v=")) restore(); });
  addEventListener("beforeprint", () => { if (!plainly.firstChild) plainly.replaceChildren(plainTable(500)); });
  addEventListener("afterprint", () => plainly.replaceChildren());
  section.querySelector(".live").append(tools, actions, note, grid.box, plainly);
  section.querySelector(".live").hidden = false;
  section.querySelector(".without").hidden = true;
  for (const one of document.querySelectorAll(".all-comparisons")) one.hidden = true; // the table has them
  let before = section.clientWidth;
  new ResizeObserver(() => {
    if (section.clientWidth === before) return;
    before = section.clientWidth;
    draw();
  }).observe(section);
  if (restore()) section.scrollIntoView();
  else refresh();
  return { state, model, refresh };
};
queueMicrotask(async () => {
  const section = document.getElementById("table");
  if (!section) return;
  try {
    farm.live = farm.explorer(section, farm.model(await farm.columns()));
  } catch (error) {
    section.querySelector(".live").hidden = true;
    section.querySelector(".without").hidden = false;
    section.querySelector(".without").textContent = `This browser cannot show the table of all cells (${error.message}).`;
  }
});
