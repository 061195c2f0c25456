// A heading of the matrix becomes a button: ascending, descending, and back to the order of the run.
(() => {
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const key = (row, column) => {
    const cell = row.cells[column];
    return column === 0 ? cell.textContent : Number(cell.dataset.ms || NaN);
  };
  const compare = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  for (const table of document.querySelectorAll(".matrix table")) {
    const body = table.tBodies[0];
    const planned = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const order = next[head.getAttribute("aria-sort")];
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        const known = (row) => !Number.isNaN(key(row, column));
        const rows = order === "none" ? planned : [
          ...planned.filter(known).sort((a, b) => sign * compare(key(a, column), key(b, column))),
          ...planned.filter((row) => !known(row)),
        ];
        body.append(...rows);
      });
    });
  }
})();
