// What has happened in the last hour, newest first: who appeared, left, crossed a line or was in a zone.

import { make, write } from "./dom.js";
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
  // panel: its section; list: where the events stand; count: where their number stands.
  constructor(panel, list, count) {
    Object.assign(this, { panel, list, count, source: null });
    this.bySource = new Map(); // [{key, at, element}], oldest first
  }

  // Take new events of a source; life: of render, which counts them anew; now: its clock; isHidden: faces are blurred.
  take(source, events, life, now, isHidden) {
    const known = this.of(source);
    for (const event of events) {
      const key = `${life} ${event.n}`;
      if (known.some((other) => other.key === key)) continue;
      known.push({ key, at: performance.now() / 1000 - (now - event.t), event, element: entryOf(event, isHidden) });
    }
    if (events.length && source === this.source) this.lay();
  }

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
    const known = this.of(this.source);
    while (known.length && performance.now() / 1000 - known[0].at > HOUR_S) known.shift();
    this.panel.hidden = !known.length;
    this.list.replaceChildren(...known.slice(-MOST_SHOWN).reverse().map(({ element }) => element));
    write(this.count, `${known.length}`);
  }
}

const pictureOf = ({ kept }, isHidden) => `kept/${kept}${isHidden ? "-blurred" : ""}.jpg`;

function entryOf(event, isHidden) {
  const entry = make("li", { className: "event", data: { event: event.event } });
  if (event.kept) {
    const picture = make("img", { alt: "", width: 72, height: 72, src: pictureOf(event, isHidden) });
    picture.addEventListener("error", () => picture.remove()); // Render has let it go.
    entry.append(picture);
  }
  const when = event.clock ? timeOfDay(Date.parse(event.clock) / 1000) : position(event.time);
  entry.append(make("b", {}, `#${event.id} ${WHAT[event.event]?.(event) ?? event.event}`));
  entry.append(make("span", {}, event.said), make("time", {}, when));
  return entry;
}

function spell(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
