// A link to a cell opens it (some browsers do this themselves), and one button opens all.
(() => {
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    const box = target && target.closest("details");
    if (box && !box.open) {
      box.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();

  const cells = [...document.querySelectorAll("details.cell")];
  if (!cells.length) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "open-all";
  button.textContent = "Open all";
  button.addEventListener("click", () => {
    const opening = button.textContent === "Open all";
    for (const cell of cells) if (!cell.hidden) cell.open = opening;
    button.textContent = opening ? "Close all" : "Open all";
  });
  document.querySelector("#cells .legend").append(" ", button);
})();
