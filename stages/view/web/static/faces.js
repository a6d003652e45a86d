// A card for each face of the newest picture: what is said about it, in words and bars.

import { inked } from "./charts.js";

const percent = (share) => `${Math.round(100 * (share ?? 0))} %`;

export class Faces {
  constructor(element) {
    this.element = element;
    this.cards = new Map();
  }

  // Show these faces: [{id, colour, score, answers, unsure}]. labels: by stage, as the server says them.
  show(faces, labels) {
    const kept = new Map();
    for (const face of faces) {
      const card = this.cards.get(face.id) ?? newCard(face.id);
      fill(card, face, labels);
      kept.set(face.id, card);
    }
    for (const [id, card] of this.cards) if (!kept.has(id)) card.remove();
    this.cards = kept;
    [...kept.values()].forEach((card, place) => {
      if (this.element.children[place] !== card) this.element.insertBefore(card, this.element.children[place] ?? null);
    });
    this.element.dataset.empty = faces.length ? "" : "Nobody";
  }
}

function newCard(id) {
  const card = document.createElement("article");
  card.innerHTML = `<h3><b></b><span></span></h3><div class="said"><dl></dl><div class="bars"></div></div>`;
  card.querySelector("b").textContent = id > 0 ? `#${id}` : "face";
  return card;
}

function fill(card, { colour, score, answers, unsure }, labels) {
  card.style.setProperty("--own", inked(colour));
  const said = [];
  const bars = [];
  for (const [stage, numbers] of Object.entries(answers)) {
    const names = labels[stage];
    if (!names) continue;
    if (names[0] === "years") said.push([stage, `${years(numbers[0])}`, `${years(numbers[1])}–${years(numbers[2])}`]);
    else if (names[0] === "value") said.push([stage, `${numbers[0] ?? "–"}`, ""]);
    else {
      const best = numbers.reduce((b, n, i) => ((n ?? -1) > (numbers[b] ?? -1) ? i : b), 0);
      said.push([stage, names[best][0], percent(numbers[best])]);
      if (names.length > 2)
        names.forEach(([name, shade], i) => bars.push([name, shade, numbers[i] ?? 0, i === best]));
    }
  }
  card.querySelector("span").textContent = unsure ? `face ${percent(score)}, unsure` : `face ${percent(score)}`;
  write(card.querySelector("dl"), said, (row) => {
    for (const tag of ["dt", "dd", "dd"]) row.append(document.createElement(tag));
  }, (row, parts) => parts.forEach((part, i) => (row.children[i].textContent = part)));
  write(card.querySelector(".bars"), bars, (row) => {
    row.append(document.createElement("span"), document.createElement("i"), document.createElement("em"));
  }, (row, [name, shade, share, best]) => {
    row.className = best ? "best" : "";
    row.children[0].textContent = name;
    row.children[1].style.setProperty("--share", share);
    row.children[1].style.setProperty("--shade", shade);
    row.children[2].textContent = percent(share);
  });
}

const years = (number) => (number === null ? "–" : Math.max(0, Math.round(number)));

// As many rows as there are entries, made once and filled often.
function write(parent, entries, make, put) {
  while (parent.children.length > entries.length) parent.lastChild.remove();
  entries.forEach((entry, place) => {
    let row = parent.children[place];
    if (!row) {
      row = document.createElement("div");
      make(row);
      parent.append(row);
    }
    put(row, entry);
  });
}
