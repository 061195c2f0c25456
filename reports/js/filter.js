// The filter of the table holds for the boxes of the matrix and for the details of cells, too.
(() => {
  const matrices = [...document.querySelectorAll(".matrix")].map((article) => {
    const [heads, ...rows] = [...article.querySelectorAll("tr")];
    return { article, heads: [...heads.cells], rows: rows.map((row) => ({ row, cells: [...row.cells].slice(1) })) };
  });
  const details = [...document.querySelectorAll("details.cell")];
  const place = (anchor) => Number(anchor.split("-")[1]) - 1;
  addEventListener("farm-filter", ({ detail: { isActive, cells } }) => {
    if (!matrices.length && !details.length) return;
    const kept = new Set(cells);
    for (const { article, heads, rows } of matrices) {
      const columns = new Set();
      let shown = 0;
      for (const { row, cells: boxes } of rows) {
        const hits = boxes.map((box, index) => (box.dataset.cell && kept.has(place(box.dataset.cell)) ? index + 1 : 0)).filter(Boolean);
        for (const column of hits) columns.add(column);
        row.hidden = isActive && !hits.length;
        shown += hits.length;
      }
      for (const line of [heads, ...rows.map(({ row }) => [...row.cells])]) {
        line.forEach((cell, column) => { cell.hidden = isActive && column > 0 && !columns.has(column); });
      }
      article.hidden = isActive && !shown;
    }
    for (const box of details) box.hidden = isActive && !kept.has(place(box.querySelector(".body").id));
  });
})();
