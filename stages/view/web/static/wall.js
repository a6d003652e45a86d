// The pictures of all sources beside each other; a click on one enlarges it.

import { arrange, draw, make, write } from "./dom.js";
import { Overlay } from "./overlay.js";
import { counted } from "./words.js";

export class Wall {
  // element: where the tiles stand; choose(name): a tile was clicked.
  constructor(element, choose) {
    Object.assign(this, { element, choose });
    this.tiles = new Map(); // by source
  }

  lay(names) {
    for (const name of this.tiles.keys()) if (!names.includes(name)) this.tiles.delete(name);
    for (const name of names) if (!this.tiles.has(name)) this.tiles.set(name, this.newTile(name));
    const columns = Math.ceil(Math.sqrt(names.length));
    this.element.style.setProperty("--columns", columns);
    this.element.style.setProperty("--rows", Math.ceil(names.length / columns));
    arrange(this.element, [...this.tiles.values()].map(({ tile }) => tile));
  }

  newTile(name) {
    const canvas = make("canvas", { width: 640, height: 360 });
    const svg = draw("svg", { class: "overlay", "aria-hidden": "true" });
    const count = make("small", {}, "waiting");
    const tile = make("button", { type: "button", className: "tile" });
    tile.append(make("span", { className: "frame" }, canvas, svg), make("b", {}, name), count);
    tile.addEventListener("click", () => this.choose(name));
    return { tile, canvas, count, overlay: new Overlay(svg), said: null };
  }

  async show(name, jpeg, said, look) {
    const known = this.tiles.get(name);
    if (!known) return;
    const picture = await createImageBitmap(jpeg);
    Object.assign(known.canvas, { width: picture.width, height: picture.height });
    known.canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    known.said = said;
    known.overlay.show(said, look);
    write(known.count, counted(said.of, "face", "faces"));
  }

  // The same pictures, with other labels; lookAt: by the name of a source.
  look(lookAt) {
    for (const [name, { said, overlay }] of this.tiles) if (said) overlay.show(said, lookAt(name));
  }
}
