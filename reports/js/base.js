// What the scripts share. Texts of devices become text nodes and attributes only: nothing here writes HTML.
const farm = {
  make(tag, attributes = {}, ...children) {
    const made = tag.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(name, value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child != null && child !== ""));
    return made;
  },

  // The columns of all cells: JSON, gzip, base64. Rejects where the browser cannot unpack them.
  async columns() {
    const text = document.getElementById("farm-cells").textContent;
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  },

  say(text) {
    farm.announcement.textContent = text;
  },
};
farm.announcement = farm.make("span", { class: "unseen", role: "status" });
document.body.append(farm.announcement);
