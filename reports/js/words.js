// Numbers and verdicts as text and as elements.
farm.words = {
  percent(part) {
    if (!Number.isFinite(part)) return "";
    const value = 100 * part, size = Math.abs(value);
    if (size >= 1e6) return `${value > 0 ? "+" : ""}${value.toExponential(1)} %`;
    const text = value.toFixed(size >= 100 ? 0 : size >= 0.1 || !size ? 1 : 2);
    return `${value > 0 ? "+" : ""}${text} %`;
  },
  ms(value) {
    if (!Number.isFinite(value)) return "";
    return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
  },
  range(low, high) {
    if (!Number.isFinite(low) || !Number.isFinite(high)) return "";
    return `${farm.words.percent(low).replace(" %", "")} to ${farm.words.percent(high)}`;
  },
  state(model, against, cell) {
    if (model.status[cell] === 0) return model.verdicts[against.verdict[cell]];
    return model.data.statuses[model.status[cell]];
  },
  badge(model, against, cell, isShort = false) {
    const [word, symbol] = farm.words.state(model, against, cell);
    return farm.make("span", { class: `status ${word.replace(" ", "-")}` },
      farm.make("span", { "aria-hidden": "true", class: "symbol" }, symbol), " ", farm.make("span", { class: isShort ? "unseen" : "" }, word));
  },
};
