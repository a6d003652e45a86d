// The pictures of a folder: small ones in a grid, of which one is looked at.

import { arrange, button, make, write } from "./dom.js";
import { counted } from "./words.js";

export class Gallery {
  // panel: its section; grid: where the pictures stand; count: what is said of them; choose(): another one is looked at.
  constructor(panel, grid, count, choose) {
    Object.assign(this, { panel, grid, count, choose, source: null, chosen: null });
    this.bySource = new Map(); // by source: Map of pictures by their frame
  }

  take(source, pictures, isHidden) {
    const known = this.of(source);
    for (const picture of pictures) {
      const element = known.get(picture.frame)?.element ?? this.entry(source, picture);
      known.set(picture.frame, { ...picture, element });
      fill(element, picture, isHidden);
    }
    if (pictures.length && source === this.source) this.lay();
  }

  forget() {
    this.bySource.clear();
    this.show(this.source);
  }

  show(source) {
    this.source = source;
    this.chosen = null;
    this.lay();
  }

  // Show or hide the faces in all of them.
  hide(isHidden) {
    for (const known of this.bySource.values()) for (const picture of known.values()) fill(picture.element, picture, isHidden);
  }

  // Look at one of them; null: at the newest.
  pick(picture) {
    this.chosen = picture;
    for (const { element, frame } of this.of(this.source).values()) element.setAttribute("aria-pressed", frame === picture?.frame);
    picture?.element.scrollIntoView({ block: "nearest" });
    this.choose();
  }

  get newest() {
    return [...this.of(this.source).values()].at(-1);
  }

  // The picture so many places after the one that is looked at.
  step(by) {
    const all = [...this.of(this.source).values()];
    const at = this.chosen ? all.findIndex(({ frame }) => frame === this.chosen.frame) : all.length - 1;
    const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
    if (next && next.frame !== this.chosen?.frame) this.pick(next);
  }

  of(source) {
    if (!this.bySource.has(source)) this.bySource.set(source, new Map());
    return this.bySource.get(source);
  }

  entry(source, { frame }) {
    const picture = make("img", { alt: "", loading: "lazy" });
    const entry = button("", () => this.pick(this.of(source).get(frame)), { className: "thumbnail" });
    entry.setAttribute("aria-pressed", false);
    picture.addEventListener("error", () => entry.classList.add("gone")); // Render has let it go.
    picture.addEventListener("load", () => entry.classList.remove("gone"));
    entry.append(picture, make("span", {}), make("small", {}));
    return entry;
  }

  lay() {
    const known = [...this.of(this.source).values()];
    this.panel.hidden = !known.length;
    arrange(this.grid, known.map(({ element }) => element));
    const faces = known.reduce((sum, { of }) => sum + of, 0);
    write(this.count, `${counted(known.length, "picture", "pictures")}, ${counted(faces, "face", "faces")}`);
  }
}

// Where the picture itself is to be had.
export const addressOf = ({ kept }, isHidden, isSmall = false) =>
  `kept/${kept}${isSmall ? "-small" : ""}${isHidden ? "-blurred" : ""}.jpg`;

function fill(element, picture, isHidden) {
  const [image, name, count] = element.children;
  image.src = addressOf(picture, isHidden, true);
  write(name, picture.file ?? `picture ${picture.frame}`);
  write(count, counted(picture.of, "face", "faces"));
}
