// Zones and lines, drawn over the picture with the mouse, and what the configuration has to say for them.

import { write } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const NEAR = 0.02; // of the picture: a click so near to the first corner closes a zone
const DECIMALS = 3;

export class Areas {
  // svg lies over the picture; list and text are where names and YAML stand; buttons: {zone, line}.
  constructor(svg, list, text, buttons, panel) {
    Object.assign(this, { svg, list, text, buttons, panel });
    this.bySource = new Map();
    this.source = null;
    this.isNamed = false; // whether the configuration has several sources, by name
    this.drawing = null; // {kind, name, points} until it is complete
    this.pointer = null;
    for (const [kind, button] of Object.entries(buttons)) button.addEventListener("click", () => this.begin(kind));
    svg.addEventListener("pointermove", (event) => this.move(this.at(event)));
    svg.addEventListener("click", (event) => this.add(this.at(event)));
    document.addEventListener("keydown", (event) => {
      if (!this.drawing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // Enter would press the button that was clicked last.
      if (event.key === "Escape") this.cancel();
      else this.finish();
    });
  }

  // The picture that lies below has this size, and is of this source.
  fit(source, isNamed, width, height) {
    const view = `0 0 ${width} ${height}`;
    if (this.svg.getAttribute("viewBox") !== view) this.svg.setAttribute("viewBox", view);
    if (this.source === source && this.isNamed === isNamed) return;
    Object.assign(this, { source, isNamed, drawing: null });
    if (!this.bySource.has(source)) this.bySource.set(source, []);
    this.show();
  }

  begin(kind) {
    if (this.source === null) return;
    const isAgain = this.drawing?.kind === kind;
    this.drawing = isAgain ? null : { kind, name: this.free(kind), points: [] };
    this.show();
  }

  add(point) {
    const { drawing } = this;
    if (!drawing) return;
    const [first] = drawing.points;
    if (drawing.kind === "zone" && first && Math.hypot(point[0] - first[0], point[1] - first[1]) < NEAR) {
      this.finish();
      return;
    }
    const last = drawing.points.at(-1);
    if (!last || last[0] !== point[0] || last[1] !== point[1]) drawing.points.push(point);
    if (drawing.kind === "line" && drawing.points.length === 2) this.finish();
    else this.show();
  }

  move(point) {
    if (!this.drawing?.points.length) return;
    this.pointer = point;
    this.draw();
  }

  finish() {
    const { drawing } = this;
    if (!drawing || drawing.points.length < (drawing.kind === "zone" ? 3 : 2)) return;
    this.bySource.get(this.source).push(drawing);
    this.cancel();
  }

  cancel() {
    this.drawing = this.pointer = null;
    this.show();
  }

  free(kind) {
    const names = new Set(this.bySource.get(this.source).map(({ name }) => name.toLowerCase()));
    let number = 1;
    while (names.has(`${kind}${number}`)) number += 1;
    return `${kind}${number}`;
  }

  // Where the pointer is, in shares of the picture.
  at({ clientX, clientY }) {
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    const { width, height } = this.svg.viewBox.baseVal;
    const share = (value) => Number(Math.min(1, Math.max(0, value)).toFixed(DECIMALS));
    return [share(x / width), share(y / height)];
  }

  show() {
    const areas = this.bySource.get(this.source) ?? [];
    for (const [kind, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", this.drawing?.kind === kind);
    this.svg.classList.toggle("drawing", this.drawing !== null);
    this.panel.hidden = !areas.length && !this.drawing;
    this.list.replaceChildren(...areas.map((area) => this.entry(area)));
    this.tell();
    this.text.textContent = this.yaml();
    this.draw();
  }

  entry(area) {
    const entry = document.createElement("li");
    const name = document.createElement("input");
    Object.assign(name, { value: area.name, maxLength: 32, ariaLabel: `name of this ${area.kind}` });
    name.addEventListener("input", () => {
      area.name = name.value.replace(/[^A-Za-z0-9_-]/g, "_") || area.kind;
      this.text.textContent = this.yaml();
      this.tell();
      this.draw();
    });
    const remove = document.createElement("button");
    Object.assign(remove, { type: "button", textContent: "remove" });
    remove.addEventListener("click", () => {
      this.bySource.set(this.source, this.bySource.get(this.source).filter((other) => other !== area));
      this.show();
    });
    entry.append(name, remove, document.createElement("span"));
    return entry;
  }

  // Say beside each what a configuration with it would be refused for.
  tell() {
    const areas = this.bySource.get(this.source) ?? [];
    areas.forEach((area, place) => write(this.list.children[place].lastChild, flawOf(area, areas)));
  }

  // What the configuration has to say.
  yaml() {
    const point = ([x, y]) => `[${x}, ${y}]`;
    const sources = [...this.bySource].filter(([, areas]) => areas.length);
    const lines = [];
    for (const kind of ["zone", "line"]) {
      const parts = sources.map(([source, areas]) => [source, areas.filter((area) => area.kind === kind)]);
      if (!parts.some(([, areas]) => areas.length)) continue;
      lines.push(`${kind}s:`);
      for (const [source, areas] of parts.filter(([, areas]) => areas.length)) {
        if (this.isNamed) lines.push(`  ${JSON.stringify(source)}:`);
        const indent = this.isNamed ? "    " : "  ";
        for (const { name, points } of areas) lines.push(`${indent}${JSON.stringify(name)}: [${points.map(point).join(", ")}]`);
      }
    }
    return lines.join("\n");
  }

  draw() {
    const { width, height } = this.svg.viewBox.baseVal;
    const inPixels = ([x, y]) => `${x * width},${y * height}`;
    const shape = (points, kind, isOpen) => {
      const made = document.createElementNS(SVG, kind === "zone" && !isOpen ? "polygon" : "polyline");
      made.setAttribute("points", points.map(inPixels).join(" "));
      made.setAttribute("class", kind);
      return made;
    };
    const shapes = (this.bySource.get(this.source) ?? []).flatMap(({ kind, name, points }) => {
      const words = document.createElementNS(SVG, "text");
      words.textContent = name;
      words.setAttribute("x", points[0][0] * width + 6);
      words.setAttribute("y", points[0][1] * height + 16);
      const arrow = kind === "line" ? [shape(arrowOf(points, width, height), "line", true)] : [];
      return [shape(points, kind), ...arrow, words];
    });
    if (this.drawing) {
      const points = [...this.drawing.points, ...(this.pointer ? [this.pointer] : [])];
      if (points.length) shapes.push(shape(points, this.drawing.kind, true));
    }
    this.svg.replaceChildren(...shapes);
  }
}

// From the middle of a line to its right, which is in.
export function arrowOf([[x1, y1], [x2, y2]], width, height) {
  const [wide, high] = [(x2 - x1) * width, (y2 - y1) * height];
  const length = (0.05 * Math.min(width, height)) / (Math.hypot(wide, high) || 1);
  const at = (right, on) => [
    (x1 + x2) / 2 + (length * (on * wide - right * high)) / width,
    (y1 + y2) / 2 + (length * (on * high + right * wide)) / height,
  ];
  return [at(0, 0), at(1, 0), at(0.6, 0.3), at(1, 0), at(0.6, -0.3)];
}

function flawOf(area, areas) {
  const isTaken = (other) => other !== area && other.name.toLowerCase() === area.name.toLowerCase();
  if (areas.some(isTaken)) return "another one has this name: change it";
  if (area.kind !== "zone") return "";
  if (crosses(area.points)) return "its sides cross: draw its corners in their order";
  return isFlat(area.points) ? "its corners lie on one line: draw it anew" : "";
}

const sidesOf = (points) => points.map((point, place) => [point, points[(place + 1) % points.length]]);

const isFlat = (points) => Math.abs(sidesOf(points).reduce((sum, [[ax, ay], [bx, by]]) => sum + ax * by - bx * ay, 0)) < 1e-9;

function crosses(points) {
  const sides = sidesOf(points);
  const turn = ([ax, ay], [bx, by], [cx, cy]) => Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
  const meet = ([a, b], [c, d]) => turn(a, b, c) * turn(a, b, d) <= 0 && turn(c, d, a) * turn(c, d, b) <= 0;
  return sides.some((one, i) => sides.some((other, k) => k > i + 1 && k - i < sides.length - 1 && meet(one, other)));
}
