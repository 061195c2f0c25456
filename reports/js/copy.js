// A copy button for every command line. Without the clipboard (old browsers), the text is selected instead.
(() => {
  const spoken = document.createElement("span");
  spoken.className = "unseen";
  spoken.setAttribute("role", "status");
  document.body.append(spoken);
  const copy = async (code, button) => {
    getSelection().selectAllChildren(code);
    let said = "copied";
    try {
      await navigator.clipboard.writeText(code.textContent);
      getSelection().removeAllRanges();
    } catch {
      if (!document.execCommand("copy")) said = "selected";
    }
    button.textContent = spoken.textContent = said;
    setTimeout(() => { button.textContent = "copy"; spoken.textContent = ""; }, 1500);
  };
  for (const box of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.addEventListener("click", () => copy(box.querySelector("code"), button));
    box.append(button);
  }
})();
