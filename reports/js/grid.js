// A table of which only the rows in sight are in the page. One row at a time may be open, with its detail below.
// Keys: up, down, page, home and end go from row to row, left and right from cell to cell, Enter opens.
farm.grid = (label, onSort, onOpen) => {
  const head = farm.make("div", { class: "grid-head", role: "rowgroup" });
  const body = farm.make("div", { class: "grid-body", role: "rowgroup" });
  const box = farm.make("div", { class: "grid", role: "grid", tabindex: "0", "aria-label": label }, head, body);
  let spec = { columns: [], count: 0, height: 34 };
  let rows = new Map(), opened = -1, detail = null, extra = 0, row = 0, column = 0;

  const top = (at) => at * spec.height + (opened >= 0 && at > opened ? extra : 0);
  const at = (y) => {
    if (opened >= 0 && y >= (opened + 1) * spec.height) y = Math.max(y - extra, opened * spec.height);
    return Math.min(Math.max(Math.floor(y / spec.height), 0), Math.max(spec.count - 1, 0));
  };
  const place = (element, y) => { element.style.transform = `translateY(${y}px)`; };
  const mark = () => {
    for (const [index, element] of rows) {
      element.classList.toggle("active", index === row);
      [...element.children].forEach((cell, where) => cell.classList.toggle("active", index === row && where === column));
    }
    box.setAttribute("aria-activedescendant", rows.has(row) ? `${spec.id}-${row}-${column}` : "");
  };
  const build = (index) => {
    const element = farm.make("div", { class: "grid-row", role: "row", "aria-rowindex": index + 2 });
    spec.columns.forEach((one, where) => {
      const cell = farm.make("div", { role: "gridcell", id: `${spec.id}-${index}-${where}`, "aria-colindex": where + 1, class: one.className ?? "", "aria-expanded": spec.detail && !where ? String(index === opened) : null });
      const made = one.cell(index);
      cell.append(...(Array.isArray(made) ? made : [made]).filter((part) => part != null && part !== ""));
      element.append(cell);
    });
    element.addEventListener("click", (event) => {
      if (event.target.closest("a, button") || String(getSelection())) return;
      row = index;
      column = Math.max([...element.children].indexOf(event.target.closest("[role=gridcell]")), 0);
      open(index === opened ? -1 : index);
    });
    return element;
  };
  const draw = () => {
    body.style.height = `${spec.count * spec.height + (opened >= 0 ? extra : 0)}px`;
    const from = Math.max(box.scrollTop - head.offsetHeight, 0);
    const first = Math.max(at(from) - 6, 0), last = Math.min(at(from + box.clientHeight) + 6, spec.count - 1);
    for (const [index, element] of rows) if (index < first || index > last) { element.remove(); rows.delete(index); }
    for (let index = first; index <= last && spec.count; index += 1) {
      if (!rows.has(index)) { rows.set(index, build(index)); body.append(rows.get(index)); }
      place(rows.get(index), top(index));
    }
    if (detail) place(detail, (opened + 1) * spec.height);
    mark();
  };
  const measure = new ResizeObserver(() => {
    if (!detail || detail.offsetHeight === extra) return;
    extra = detail.offsetHeight;
    draw();
  });
  const forget = () => { for (const element of rows.values()) element.remove(); rows = new Map(); };
  const open = (index, isSilent = false) => {
    measure.disconnect();
    detail?.remove();
    detail = null; extra = 0; opened = -1;
    if (index >= 0 && spec.detail) {
      opened = index;
      detail = farm.make("div", { class: "grid-detail", role: "row", "aria-rowindex": index + 2 },
        farm.make("div", { role: "gridcell", "aria-colspan": spec.columns.length }, spec.detail(index, column)));
      detail.style.width = `${box.clientWidth}px`;
      body.append(detail);
      extra = detail.offsetHeight;
      measure.observe(detail);
    }
    forget();
    draw();
    if (!isSilent) onOpen(index);
  };
  const reveal = () => {
    const y = top(row), inner = box.clientHeight - head.offsetHeight;
    if (y < box.scrollTop) box.scrollTop = y;
    else if (y + spec.height > box.scrollTop + inner) box.scrollTop = y + spec.height - inner;
    draw();
  };
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };
  box.addEventListener("keydown", (event) => {
    if (event.target !== box || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) row = Math.min(Math.max(row + steps[event.key], 0), Math.max(spec.count - 1, 0));
    else if (event.key === "ArrowRight") column = Math.min(column + 1, spec.columns.length - 1);
    else if (event.key === "ArrowLeft") column = Math.max(column - 1, 0);
    else if (event.key === "Enter" || event.key === " ") open(row === opened ? -1 : row);
    else if (event.key === "Escape" && opened >= 0) open(-1);
    else return;
    event.preventDefault();
    reveal();
  });
  box.addEventListener("scroll", draw, { passive: true });

  const show = (wanted) => {
    const isNew = wanted.id !== spec.id;
    spec = wanted;
    row = Math.min(row, Math.max(spec.count - 1, 0));
    column = Math.min(column, spec.columns.length - 1);
    box.style.setProperty("--columns", spec.columns.map(({ width }) => width).join(" "));
    box.style.setProperty("--row", `${spec.height}px`);
    box.style.setProperty("--least", spec.least ?? "0");
    box.setAttribute("aria-rowcount", spec.count + 1);
    box.setAttribute("aria-colcount", spec.columns.length);
    head.replaceChildren(farm.make("div", { class: "grid-row", role: "row", "aria-rowindex": 1 }, ...spec.columns.map((one, where) =>
      farm.make("div", { role: "columnheader", "aria-colindex": where + 1, class: one.className ?? "", "aria-sort": one.order ?? (one.sort ? "none" : null), title: one.label },
        one.sort ? farm.make("button", { type: "button", click: () => onSort(one.sort) }, one.label) : farm.make("span", { class: one.isNarrow ? "unseen" : "" }, one.label)))));
    measure.disconnect(); detail?.remove(); detail = null; extra = 0; opened = -1;
    if (isNew) box.scrollTop = 0;
    forget();
    draw();
  };
  return { box, show, open, goTo(index) { row = index; box.scrollTop = top(index); draw(); }, draw, get row() { return row; } };
};
