// Comparisons where nothing changed are shown on demand; without scripts they are all there.
(() => {
  const choice = document.querySelector(".show-all");
  if (!choice) return;
  const unchanged = [...document.querySelectorAll(".verdicts tbody[data-unchanged]")];
  const box = choice.querySelector("input");
  const apply = () => { for (const body of unchanged) body.hidden = !box.checked; };
  choice.hidden = false;
  box.addEventListener("input", apply);
  apply();
})();
