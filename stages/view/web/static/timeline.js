// What has happened in the last hour, newest first: who appeared, left, crossed a line or was in a zone.

import { arrange, button, make, write } from "./dom.js";
import { position, timeOfDay } from "./words.js";

const MOST_SHOWN = 100;
const HOUR_S = 3600;

const WHAT = {
  appeared: () => "appeared",
  left: ({ dwell }) => `left after ${spell(dwell)}`,
  entered: ({ zone }) => `entered ${zone}`,
  exited: ({ zone, dwell }) => `left ${zone} after ${spell(dwell)}`,
  crossed: ({ line, direction }) => `crossed ${line}, ${direction}`,
};

export class Timeline {
  // panel: its section; list: where the events stand; count: where their number stands; play(source, event, what): the
  // film of one is wanted.
  constructor(panel, list, count, play) {
    Object.assign(this, { panel, list, count, play, source: null });
    this.bySource = new Map(); // [{key, at, element}], oldest first
  }

  // Take new events of a source; life: of render, which counts them anew; now: its clock; isHidden: faces are blurred.
  take(source, events, life, now, isHidden) {
    const known = this.of(source);
    for (const event of events) {
      const key = `${life} ${event.n}`;
      if (known.some((other) => other.key === key)) continue;
      known.push({ key, at: performance.now() / 1000 - (now - event.t), event, element: this.entry(source, event, isHidden) });
    }
    if (events.length && (this.source === null || source === this.source)) this.lay();
  }

  forget() {
    this.bySource.clear();
    this.lay();
  }

  // The events of a source; null: of all.
  show(source) {
    this.source = source;
    this.lay();
  }

  // Show or hide the faces of all events.
  hide(isHidden) {
    for (const { event, element } of [...this.bySource.values()].flat()) {
      const picture = element.querySelector("img");
      if (picture) picture.src = pictureOf(event, isHidden);
    }
  }

  of(source) {
    if (!this.bySource.has(source)) this.bySource.set(source, []);
    return this.bySource.get(source);
  }

  lay() {
    for (const known of this.bySource.values())
      while (known.length && performance.now() / 1000 - known[0].at > HOUR_S) known.shift();
    const every = this.source === null ? [...this.bySource.values()].flat() : this.of(this.source);
    const known = [...every].sort((one, other) => one.at - other.at);
    this.panel.hidden = !known.length;
    // Those that stand there already are not moved: one of them may have the focus.
    arrange(this.list, known.slice(-MOST_SHOWN).reverse().map(({ element }) => element));
    write(this.count, `${known.length}`);
  }

  entry(source, event, isHidden) {
    const what = `#${event.id} ${WHAT[event.event]?.(event) ?? event.event}`;
    const when = event.clock ? timeOfDay(Date.parse(event.clock) / 1000) : position(event.time);
    const says = [make("b", {}, what), make("span", {}, event.said), make("span", { className: "where" }, source), make("time", {}, when)];
    const picture = event.kept ? pictureFor(event, isHidden) : placeholder();
    const inside = event.film ? button("", () => this.play(source, event, what), { title: "Show what happened" }) : make("div");
    inside.append(picture, ...says);
    return make("li", { className: "event", data: { event: event.event } }, inside);
  }
}

const pictureOf = ({ kept }, isHidden) => `kept/${kept}${isHidden ? "-blurred" : ""}.jpg`;

const placeholder = () => make("i", { className: "placeholder" });

function pictureFor(event, isHidden) {
  const picture = make("img", { alt: "", width: 72, height: 72, src: pictureOf(event, isHidden) });
  picture.addEventListener("error", () => picture.replaceWith(placeholder())); // Render has let it go.
  return picture;
}

function spell(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
