// What is known of each source: its samples of the last minute, on this browser's clock.

export const OVER_S = 60;
const GAP_S = 1.5; // a line is not drawn across a longer silence
const BRIEF_S = 1; // who was there no longer than that is most likely no face
const DRIFT_S = 0.0005; // of two clocks, from one message to the next, at most
const APART_S = 0.1; // between two people in one lane

export class Store {
  constructor() {
    this.faces = []; // {t, frame, faces: [{id, colour, score, answers}]}
    this.numbers = []; // {t, rate, latency, loads, drops, frames, seen}
    this.life = 0; // of render: after a restart samples are counted anew
    this.count = 0; // how many samples of this life are here
    this.offset = null; // this clock minus that of render
    this.lanes = new Map(); // by id: which lane of a chart a person has
  }

  // Take the samples of a message; `clock` is this browser's, in seconds.
  take({ life, known, now, samples = [] }, clock) {
    const count = known?.[0] ?? (life === this.life ? this.count : 0);
    if (life !== this.life) {
      this.life = life;
      this.count = 0;
      this.offset = null;
    }
    // The least delay so far is nearest to none; but two clocks never go at quite the same speed.
    const offset = clock - now;
    const before = this.offset;
    this.offset = before === null ? offset : Math.min(before + DRIFT_S, offset);
    if (before !== null && this.offset < before) this.shift(this.offset - before); // What came late was later than it was.
    const fresh = samples.slice(Math.max(0, samples.length - (count - this.count)));
    this.count = count;
    for (const sample of fresh) {
      const list = "faces" in sample ? this.faces : this.numbers;
      const t = Math.max(sample.t + this.offset, list.at(-1)?.t ?? -Infinity); // Of two lives of render, too, in their order.
      if ("faces" in sample) {
        this.faces.push({ t, frame: sample.frame, faces: facesOf(sample.faces) });
      } else this.numbers.push({ ...sample, t });
    }
    for (const list of [this.faces, this.numbers])
      while (list.length && list[0].t < clock - OVER_S - 5) list.shift();
  }

  // Every sample was so many seconds later, or earlier where it is negative.
  shift(by_s) {
    for (const sample of [...this.faces, ...this.numbers]) sample.t += by_s;
  }

  get newest() {
    return this.faces.at(-1);
  }

  get latest() {
    return this.numbers.at(-1);
  }

  get end() {
    return Math.max(this.newest?.t ?? 0, this.latest?.t ?? 0);
  }

  // Who was followed lately, with the samples of each: [{id, colour, runs: [[{t, answers}]]}], in order of their ids.
  people(stage) {
    const people = new Map();
    for (const { t, faces } of this.faces)
      for (const { id, colour, answers } of faces) {
        const numbers = answers[stage];
        if (id < 0 || !numbers) continue; // Who is not followed has no line from one frame to the next.
        const person = people.get(id) ?? { id, colour, runs: [] };
        people.set(id, person);
        const run = person.runs.at(-1);
        if (run && t - run.at(-1).t <= GAP_S) run.push({ t, numbers });
        else person.runs.push([{ t, numbers }]);
      }
    const end = this.newest?.t ?? 0;
    const there_s = ({ runs }) => runs.reduce((sum, run) => sum + run.at(-1).t - run[0].t, 0);
    const stay = (person) => there_s(person) > BRIEF_S || person.runs.at(-1).at(-1).t === end;
    return [...people.values()].filter(stay).sort((one, other) => one.id - other.id);
  }

  // The same people with a lane each, which they keep; one that is free again is given to the next who comes.
  inLanes(people) {
    const first = ({ runs }) => runs[0][0].t;
    const last = ({ runs }) => runs.at(-1).at(-1).t;
    for (const id of this.lanes.keys()) if (!people.some((person) => person.id === id)) this.lanes.delete(id);
    for (const person of [...people].sort((one, other) => first(one) - first(other))) {
      if (this.lanes.has(person.id)) continue;
      const taken = people.filter((other) => this.lanes.has(other.id) && last(other) > first(person) - APART_S);
      const lanes = new Set(taken.map((other) => this.lanes.get(other.id)));
      let lane = 0;
      while (lanes.has(lane)) lane += 1;
      this.lanes.set(person.id, lane);
    }
    return people.map((person) => ({ ...person, lane: this.lanes.get(person.id) }));
  }
}

// The faces of a frame, which the server says as lists; with boxes in pixels where they are those of a picture. A name
// is the number of a person, or where nobody is followed the place from the left: of one face alone there is none.
export const facesOf = (lists) =>
  lists.map(([id, colour, score, answers, unsure, box]) => {
    const name = id > 0 ? `#${id}` : lists.length > 1 ? `${-id}` : "";
    return { id, name, colour, score, answers, unsure, box };
  });

// The sample of a list that is nearest to a time; null where none is near.
export function nearest(list, t) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].t < t) low = middle + 1;
    else high = middle;
  }
  const found = [list[low - 1], list[low]].filter(Boolean).sort((a, b) => Math.abs(a.t - t) - Math.abs(b.t - t))[0];
  return found && Math.abs(found.t - t) <= GAP_S ? found : null;
}
