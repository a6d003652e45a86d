// A tab for each source, and one for all of them beside each other. The address says which: it can be kept and sent.

import { button } from "./dom.js";

export class Tabs {
  // choose(name): another source is wanted; null: all of them.
  constructor(element, choose) {
    Object.assign(this, { element, choose, names: [], current: undefined });
    window.addEventListener("hashchange", () => this.names.length && this.choose(this.wanted(this.names, null)));
  }

  // What the address asks for, of these sources; `otherwise` where there are none.
  wanted(names, otherwise) {
    if (!names.length) return otherwise;
    const asked = decoded(location.hash.slice(1));
    if (names.includes(asked)) return asked;
    return names.length > 1 ? null : names[0];
  }

  go(name) {
    location.hash = encodeURIComponent(name ?? ""); // Nothing, for all: a source may have any name.
  }

  lay(names, current) {
    if (names.length && this.names.join("\n") !== names.join("\n")) {
      this.names = names;
      const all = names.length > 1 ? [null] : [];
      this.element.replaceChildren(...[...all, ...names].map((name) => this.tab(name)));
    }
    for (const tab of this.element.children) tab.setAttribute("aria-current", tab.source === current ? "page" : "false");
    if (this.current === current) return;
    this.current = current;
    // Another view begins at its top, wherever the one before was scrolled to, with its tab in view.
    [...this.element.children].find((tab) => tab.source === current)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  tab(name) {
    const made = button(name ?? "all", () => this.go(name));
    made.source = name;
    return made;
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
