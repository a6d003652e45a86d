// A card for each face of the picture: a line of words, and all numbers where it is unfolded.

import { arrange, button, make, write } from "./dom.js";
import { areSeveral, areClasses, bestOf, inShort, percent, word, years } from "./words.js";

const MOST_CARDS = 24; // more cannot be read
// So many faces have all their numbers at first: as many as find room beside the picture.
const wide = matchMedia("(min-width: 1500px)");
const narrow = matchMedia("(max-width: 900px)");
const openCards = () => (narrow.matches ? 0 : wide.matches ? 4 : 2);

export class Faces {
  constructor(element) {
    this.element = element;
    this.cards = new Map(); // by number of the face
    this.folded = new Map(); // by number: what the person has chosen
  }

  // Show these faces: [{id, colour, score, answers, unsure}]. labels: by stage, as the server says them.
  show(faces, labels) {
    const shown = faces.slice(0, MOST_CARDS);
    const isOpen = shown.length <= openCards();
    const kept = new Map();
    for (const face of shown) {
      const card = this.cards.get(face.id) ?? this.newCard(face.id);
      fill(card, face, labels);
      fold(card, this.folded.get(face.id) ?? !isOpen);
      kept.set(face.id, card);
    }
    this.cards = kept;
    arrange(this.element, [...kept.values()]);
    const more = faces.length - shown.length;
    this.element.dataset.note = faces.length ? (more > 0 ? `and ${more} more` : "") : "Nobody";
  }

  newCard(id) {
    const press = button("", () => {
      this.folded.set(id, !card.classList.contains("folded"));
      fold(card, this.folded.get(id));
    });
    const heading = make("h3", {}, press);
    press.append(make("b"), make("span"), make("small"));
    const said = make("div", { className: "said" }, make("dl"), make("div", { className: "bars" }));
    const card = make("article", {}, heading, said);
    return card;
  }
}

function fold(card, isFolded) {
  card.classList.toggle("folded", isFolded);
  card.querySelector("button").setAttribute("aria-expanded", !isFolded);
}

function fill(card, face, labels) {
  const { colour, score, answers, unsure } = face;
  const said = [];
  const bars = [];
  for (const [stage, numbers] of Object.entries(answers)) {
    const names = labels[stage];
    if (!names) continue;
    const number = names[0] === "years" ? `${years(numbers[1])}–${years(numbers[2])}` : areClasses(names) ? percent(numbers[bestOf(numbers)]) : "";
    said.push([stage, word(names, numbers), number]);
    if (areSeveral(names)) names.forEach(([name, shade], i) => bars.push([name, shade, numbers[i] ?? 0, i === bestOf(numbers)]));
  }
  card.style.setProperty("--own", colour);
  const [name, words, sure] = card.querySelector("button").children;
  const short = inShort({ ...face, name: "" }, labels).join(", ");
  write(name, face.name || short || "face"); // One face alone needs no number.
  write(words, face.name ? short : "");
  write(sure, unsure ? `face ${percent(score)}, unsure` : `face ${percent(score)}`);
  rows(card.querySelector("dl"), said, ["dt", "dd", "dd"], (row, parts) => parts.forEach((part, i) => write(row.children[i], part)));
  rows(card.querySelector(".bars"), bars, ["span", "i", "em"], (row, [name, shade, share, isBest]) => {
    row.className = isBest ? "best" : "";
    write(row.children[0], name);
    row.children[1].style.setProperty("--share", share);
    row.children[1].style.setProperty("--shade", shade);
    write(row.children[2], percent(share));
  });
}

// As many rows as there are entries, made once and filled often.
function rows(parent, entries, tags, put) {
  while (parent.children.length > entries.length) parent.lastChild.remove();
  entries.forEach((entry, place) => {
    if (!parent.children[place]) parent.append(make("div", {}, ...tags.map((tag) => make(tag))));
    put(parent.children[place], entry);
  });
}
