// A copy button for every command line. Without the clipboard (old browsers), the text is selected instead.
farm.copy = async (text, button, shown) => {
  const before = button.textContent;
  let outcome = "copied";
  if (shown) getSelection().selectAllChildren(shown);
  try {
    await navigator.clipboard.writeText(text);
    if (shown) getSelection().removeAllRanges();
  } catch {
    if (!shown || !document.execCommand("copy")) outcome = shown ? "selected" : "cannot copy";
  }
  button.textContent = outcome;
  farm.say(outcome);
  setTimeout(() => { button.textContent = before; farm.say(""); }, 1500);
};
farm.copyable = (box) => {
  const code = box.querySelector("code");
  const button = farm.make("button", { type: "button" }, "copy");
  button.addEventListener("click", () => farm.copy(code.textContent, button, code));
  box.append(button);
};
document.querySelectorAll(".command").forEach(farm.copyable);
