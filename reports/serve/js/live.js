// Puts new pieces of the page in the places of the old ones. Without it the page is loaded again now and then.
(() => {
  const address = document.body.dataset.events;
  const ahead = Date.now() - Number(document.body.dataset.now);
  const state = document.getElementById("state");
  if (!address) return;
  let source = null;
  let again = 0;

  const say = (text, isLost) => {
    if (state.textContent !== text) state.textContent = text;
    state.classList.toggle("lost", isLost);
  };

  const piece = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html; // markup of the server's own templates, which escape every value
    return template.content.firstElementChild;
  };

  const put = (id, part, isFirst) => {
    const parent = document.getElementById(id);
    if (!parent) return;
    const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
    for (const [key, html] of Object.entries(part.set)) {
      const made = piece(html);
      if (old.has(key)) old.get(key).replaceWith(made);
      else parent.append(made);
      old.set(key, made);
      if (isFirst) continue;
      made.classList.add("fresh");
      setTimeout(() => made.classList.remove("fresh"), 1500);
    }
    if (!part.order) return;
    const wanted = new Set(part.order);
    for (const [key, child] of old) if (!wanted.has(key)) child.remove();
    let place = parent.firstElementChild;
    for (const key of part.order) {
      const child = old.get(key);
      if (child === place) place = place.nextElementSibling;
      else if (child) parent.insertBefore(child, place);
    }
  };

  const ago = (seconds) => {
    if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s ago`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
    return seconds < 86400 ? `${Math.round(seconds / 3600)} h ago` : null;
  };

  const tick = () => {
    for (const time of document.querySelectorAll("time[data-at]")) {
      time.title ||= time.textContent;
      const text = ago((Date.now() - ahead - Number(time.dataset.at)) / 1000) ?? time.title;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const close = () => {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  };

  const open = () => {
    close();
    source = new EventSource(address);
    let isFirst = true; // all of the page: much of it is what was there
    source.onopen = () => say("live", false);
    source.onmessage = (event) => {
      for (const [id, part] of Object.entries(JSON.parse(event.data))) put(id, part, isFirst);
      isFirst = false;
      tick();
    };
    source.onerror = () => {
      say("the connection is lost; trying again", true);
      close();
      again = setTimeout(open, 3000);
    };
  };

  // A browser has six connections to one server: a page that nobody sees gives its own back.
  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && look());
  setInterval(tick, 1000);
  tick();
  look();
})();
