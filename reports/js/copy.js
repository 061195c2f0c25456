// A copy button for every command line. Without the clipboard (old browsers), the text is selected instead.
(() => {
  const announcement = document.createElement("span");
  announcement.className = "unseen";
  announcement.setAttribute("role", "status");
  document.body.append(announcement);
  const copy = async (code, button) => {
    getSelection().selectAllChildren(code);
    let outcome = "copied";
    try {
      await navigator.clipboard.writeText(code.textContent);
      getSelection().removeAllRanges();
    } catch {
      if (!document.execCommand("copy")) outcome = "selected";
    }
    button.textContent = announcement.textContent = outcome;
    setTimeout(() => { button.textContent = "copy"; announcement.textContent = ""; }, 1500);
  };
  for (const box of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.addEventListener("click", () => copy(box.querySelector("code"), button));
    box.append(button);
  }
})();
