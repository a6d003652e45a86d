// What is drawn on a picture, as vectors in pixels of the screen: it stays sharp and legible at any size.

import { arrowOf } from "./areas.js";
import { draw } from "./dom.js";
import { place } from "./placement.js";
import { areSeveral, bestOf, inShort, isFirst, percent, sentence } from "./words.js";

const PAD = 7;
const NARROW_PAD = 3; // of a label with the number alone
const LINE = 17; // pixels from one line to the next
const SMALL_LINE = 14;
const BAR = 46;
const FONTS = { usual: "600 13px system-ui, sans-serif", small: "500 11px system-ui, sans-serif" };
const TILE_FACE = 40; // a smaller face has its number alone beside it
const MOST_BARS = 8;

export class Overlay {
  // svg lies over the canvas of the picture, which is shown as large as fits.
  constructor(svg) {
    this.svg = svg;
    this.sides = new Map(); // by face: where its label stood
    this.now = null;
    this.zoom = { k: 1, x: 0, y: 0 }; // of the picture below
    new ResizeObserver(() => this.again()).observe(svg);
  }

  // picture: as the server says it; look: {labels, hidden, style, areas}.
  show(picture, look) {
    this.now = { picture, look };
    this.again();
  }

  // The picture below is so many times as large, and moved by so many pixels.
  enlarge({ k, x, y }) {
    this.zoom = { k, x, y };
    this.again();
  }

  clear() {
    this.now = null;
    this.sides.clear();
    this.svg.replaceChildren();
  }

  again() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!this.now || !width || !height) return;
    const { picture, look } = this.now;
    // As object-fit: contain places the canvas.
    const { k, x, y } = this.zoom;
    const scale = k * Math.min(width / picture.width, height / picture.height);
    const [fullWide, fullHigh] = [picture.width * scale, picture.height * scale];
    const [left, top] = [(k * width - fullWide) / 2 + x, (k * height - fullHigh) / 2 + y];
    // The part of the picture that is seen: labels are placed in it.
    const [cutLeft, cutTop] = [Math.max(0, -left), Math.max(0, -top)];
    const wide = Math.min(width, left + fullWide) - Math.max(0, left);
    const high = Math.min(height, top + fullHigh) - Math.max(0, top);
    const whole = draw("g", { transform: `translate(${Math.max(0, left)} ${Math.max(0, top)})` });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(whole);
    if (look.style === "none") return;
    const areas = draw("g", { transform: `translate(${-cutLeft} ${-cutTop})` });
    areas.append(...shapesOf(look.areas, fullWide, fullHigh));
    whole.append(areas);
    const faces = picture.faces
      .map((face) => ({ ...face, box: visible(face.box, scale, cutLeft, cutTop, wide, high) }))
      .filter(({ box }) => box);
    for (const face of faces) whole.append(...frameOf(face));
    if (look.style === "boxes") return;
    const choices = faces.map((face) => labelsFor(face, look, faces.length));
    const labelled = faces.map(({ id, box }, i) => ({ id, box, sizes: choices[i] })).filter(({ sizes }) => sizes.length);
    const places = place(labelled, wide, high, this.sides);
    const kept = choices.filter((each) => each.length);
    places.forEach(({ choice, x, y }, i) => whole.append(drawn(kept[i][choice], x, y)));
    const lacks = [
      ...(picture.missing ? [`no answer: ${picture.missing.join(", ")}`] : []),
      ...(picture.error ? [`not analysed: ${picture.error}`] : []),
    ];
    if (lacks.length) {
      const note = label(lacks.map((text) => ({ text, colour: "#ffa050" })), FONTS.small, SMALL_LINE);
      whole.append(drawn(note, 0, high - note.h));
    }
  }
}

// The part of a box that is seen of the picture, which is cut off at its left and top; in pixels of the screen.
function visible([x, y, w, h], scale, cutLeft, cutTop, width, height) {
  const [left, top] = [Math.max(0, x * scale - cutLeft), Math.max(0, y * scale - cutTop)];
  const [right, lower] = [Math.min(width, (x + w) * scale - cutLeft), Math.min(height, (y + h) * scale - cutTop)];
  if (right <= left || lower <= top) return null;
  return { x: left, y: top, w: Math.max(1, right - left), h: Math.max(1, lower - top) };
}

// A thin box with strong, round corners.
function frameOf({ box: { x, y, w, h }, colour, id }) {
  const side = Math.min(w, h);
  const [r, arm] = [0.1 * side, 0.26 * side];
  const corners = [
    [x, y, 1, 1],
    [x + w, y, -1, 1],
    [x + w, y + h, -1, -1],
    [x, y + h, 1, -1],
  ].map(([cx, cy, sx, sy]) =>
    `M${cx} ${cy + sy * arm}V${cy + sy * r}Q${cx} ${cy} ${cx + sx * r} ${cy}H${cx + sx * arm}`);
  const d = corners.join("");
  return [
    draw("rect", { x, y, width: w, height: h, rx: r, class: "box", stroke: colour, "data-face": id }),
    draw("path", { d, class: "rim" }),
    draw("path", { d, class: "corners", stroke: colour }),
  ];
}

// The labels that a face could have, the preferred first: [{w, h, draw}].
function labelsFor(face, { labels, hidden, style }, count) {
  const said = inShort(face, labels, hidden);
  const number = { text: face.name, colour: face.colour };
  const least = number.text ? [label([number], FONTS.small, SMALL_LINE, NARROW_PAD)] : [];
  if (!said.length || (said.length === 1 && said[0] === number.text && hidden.size)) return least;
  const short = label(linesInShort(face, labels, hidden), FONTS.usual, LINE);
  const small = label([{ text: said.join(", "), colour: face.colour }], FONTS.small, SMALL_LINE);
  if (Math.min(face.box.w, face.box.h) < TILE_FACE && count > 3) return [small, ...least];
  if (style === "full") return [label(linesInFull(face, labels, hidden), FONTS.small, SMALL_LINE), short, small, ...least];
  return [short, small, ...least];
}

function linesInShort(face, labels, hidden) {
  const [first, ...others] = inShort(face, labels, hidden);
  const bars = severalOf(face, labels, hidden).map(([stage, numbers]) => {
    const best = bestOf(numbers);
    const [text, colour] = labels[stage][best];
    return { text, colour, share: numbers[best] ?? 0 };
  });
  const rest = others.filter((text) => !bars.some((bar) => bar.text === text));
  return [{ text: first, colour: face.colour }, ...bars, ...rest.map((text) => ({ text, colour: face.colour }))].filter(
    ({ text }) => text,
  );
}

function linesInFull(face, labels, hidden) {
  const lines = [{ text: [face.name, `face ${percent(face.score)}`].filter(Boolean).join("  "), colour: face.colour }];
  if (face.unsure) return [...lines, { text: "unsure", colour: face.colour }];
  for (const [stage, numbers] of Object.entries(face.answers)) {
    if (!labels[stage] || hidden.has(stage)) continue;
    if (!areSeveral(labels[stage])) lines.push({ text: sentence(stage, labels[stage], numbers), colour: face.colour });
    else {
      const bars = labels[stage].map(([text, colour], i) => ({ text, colour, share: numbers[i] ?? 0, said: percent(numbers[i]) }));
      lines.push(...bars.filter(({ share }) => share >= 0.005).sort((a, b) => b.share - a.share).slice(0, MOST_BARS));
    }
  }
  return lines;
}

// The answers that have a bar in a short label: those that are not in its first line.
function severalOf({ answers, unsure }, labels, hidden) {
  const isSeveral = ([stage]) => labels[stage] && areSeveral(labels[stage]) && !hidden.has(stage) && !isFirst(stage);
  return unsure ? [] : Object.entries(answers).filter(isSeveral);
}

// A label that is laid out but not drawn yet. Lines: [{text, colour, share, said}], of which a share has a bar.
function label(lines, font, step, pad = PAD) {
  const names = Math.max(0, ...lines.filter(({ share }) => share !== undefined).map(({ text }) => widthOf(text, font)));
  const number = lines.some(({ said }) => said) ? widthOf("100 %", font) + PAD : 0;
  const bars = names ? names + PAD + BAR + number : 0;
  const plain = lines.filter(({ share }) => share === undefined).map(({ text }) => widthOf(text, font));
  const w = Math.ceil(Math.max(bars, ...plain)) + 2 * pad + 3;
  return { w, h: lines.length * step + pad, lines, font, step, pad, names };
}

function drawn({ w, h, lines, font, step, pad, names }, x, y) {
  const made = draw("g", { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, class: "label" });
  made.append(draw("rect", { width: w, height: h, rx: 5 }));
  made.append(draw("rect", { width: 3, height: h - 6, x: 3, y: 3, rx: 1.5, fill: lines[0].colour, class: "mark" }));
  lines.forEach(({ text, colour, share, said }, i) => {
    const middle = pad / 2 + (i + 0.5) * step;
    const words = draw("text", { x: pad + 3, y: middle }, text);
    words.style.font = font;
    made.append(words);
    if (share === undefined) return;
    const left = pad + 3 + names + PAD;
    const bar = { x: left, y: middle - 3, height: 6, rx: 3 };
    made.append(draw("rect", { ...bar, width: BAR, class: "track" }));
    made.append(draw("rect", { ...bar, width: Math.max(3, BAR * Math.min(1, share)), fill: colour, class: "share" }));
    if (!said) return;
    const number = draw("text", { x: w - pad, y: middle, class: "number" }, said);
    number.style.font = font;
    made.append(number);
  });
  return made;
}

const measuring = document.createElement("canvas").getContext("2d");
const widths = new Map();

function widthOf(text, font) {
  const key = font + text;
  if (!widths.has(key)) {
    if (widths.size > 2000) widths.clear();
    measuring.font = font;
    widths.set(key, measuring.measureText(text).width);
  }
  return widths.get(key);
}

// The zones and lines of the configuration.
function shapesOf({ zones = {}, lines = {} }, width, height) {
  const inPixels = (points) => points.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  const named = (name, [[x, y]]) =>
    draw("text", { x: Math.min(x * width + 6, width - 30), y: Math.max(14, y * height + 14), class: "area" }, name);
  return [
    ...Object.entries(zones).flatMap(([name, points]) => [
      draw("polygon", { points: inPixels(points), class: "zone" }),
      named(name, points),
    ]),
    ...Object.entries(lines).flatMap(([name, points]) => [
      draw("polyline", { points: inPixels(points), class: "line" }),
      draw("polyline", { points: inPixels(arrowOf(points, width, height)), class: "line" }),
      named(name, points),
    ]),
  ];
}
