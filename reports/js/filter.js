// Shows the cells whose model, device or variant contain every word, and on demand only those that failed.
(() => {
  const form = document.querySelector(".tools");
  if (!form) return;
  const matrices = [...document.querySelectorAll(".matrix")].map((article) => {
    const [heads, ...rows] = [...article.querySelectorAll("tr")];
    return {
      article,
      heads: [...heads.cells],
      rows: rows.map((row) => ({
        row,
        cells: [...row.cells].slice(1).map((cell, index) => ({
          cell,
          key: [article.dataset.model, row.cells[0].textContent, heads.cells[index + 1].textContent].join("\n").toLowerCase(),
          status: cell.dataset.status,
        })),
      })),
    };
  });
  const details = [...document.querySelectorAll("details.cell")].map((box) => ({
    box, key: box.dataset.key.toLowerCase(), status: box.dataset.status,
  }));
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const failed = form.elements.failed.checked;
    const active = words.length > 0 || failed;
    const matches = (item) => words.every((word) => item.key.includes(word)) && (!failed || item.status === "failed");
    for (const { article, heads, rows } of matrices) {
      const columns = new Set();
      let shown = 0;
      for (const { row, cells } of rows) {
        const hits = cells.map((item, index) => (matches(item) ? index + 1 : 0)).filter(Boolean);
        for (const column of hits) columns.add(column);
        row.hidden = active && !hits.length;
        shown += hits.length;
      }
      for (const line of [heads, ...rows.map(({ row }) => [...row.cells])]) {
        line.forEach((cell, column) => { cell.hidden = active && column > 0 && !columns.has(column); });
      }
      article.hidden = active && !shown;
    }
    for (const item of details) item.box.hidden = !matches(item);
    const count = details.filter(matches).length;
    form.querySelector("output").textContent = active ? `${count} of ${details.length} cells` : "";
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
