// The short film of an event: its pictures one after the other, with the labels over them as over the live picture.

import { $, write } from "./dom.js";
import { addressOf } from "./gallery.js";
import { Overlay } from "./overlay.js";
import { facesOf } from "./store.js";
import { position, timeOfDay } from "./words.js";

const MOST_S = 1; // between two pictures, however long it was
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Film {
  constructor(dialog) {
    this.dialog = dialog;
    this.canvas = dialog.querySelector("canvas");
    this.overlay = new Overlay(dialog.querySelector("svg"));
    Object.assign(this, { shots: [], place: 0, timer: null, look: null });
    $("play").addEventListener("click", () => (this.timer === null ? this.play() : this.stop()));
    $("place").addEventListener("input", () => {
      this.stop();
      this.show(Number($("place").value));
    });
    $("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.end());
  }

  get isOpen() {
    return this.dialog.open;
  }

  // Show the film of an event. what: the event in words; look: as of Overlay; isHidden: faces are blurred.
  async open(event, what, look, isHidden) {
    Object.assign(this, { event, look, isHidden, shots: [], place: 0, pictures: new Map() });
    write($("what"), what);
    write($("when"), "");
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.overlay.clear();
    this.dialog.showModal();
    await this.load();
    if (!this.shots.length) write($("when"), "its pictures are gone");
    else if (still.matches) this.show(this.nearest());
    else this.play();
  }

  end() {
    this.stop();
    for (const picture of this.pictures?.values() ?? []) picture.close();
    this.pictures = new Map();
  }

  // Those pictures that are still there: the oldest are let go.
  async load() {
    const { event, isHidden, pictures } = this;
    const answer = await fetch(`film/${event.film}.json`);
    const said = answer.ok ? await answer.json() : [];
    const got = await Promise.all(
      said.map(async (shot) => {
        if (pictures.has(shot.kept)) return true;
        const jpeg = await fetch(addressOf(shot, isHidden));
        if (jpeg.ok) pictures.set(shot.kept, await createImageBitmap(await jpeg.blob()));
        return jpeg.ok;
      }),
    );
    if (event !== this.event || !this.isOpen) return;
    this.shots = said.filter((_, place) => got[place]).map((shot) => ({ ...shot, faces: facesOf(shot.faces) }));
    Object.assign($("place"), { max: Math.max(0, this.shots.length - 1), value: this.place });
  }

  play() {
    if (this.place >= this.shots.length - 1) this.place = 0;
    this.show(this.place);
    this.goOn();
  }

  async goOn() {
    const [now, next] = [this.shots[this.place], this.shots[this.place + 1]];
    write($("play"), "pause");
    this.timer = setTimeout(async () => {
      if (this.place + 1 >= this.shots.length) await this.load(); // It may have gone on since.
      if (this.timer === null) return;
      if (this.place + 1 >= this.shots.length) return this.stop();
      this.show(this.place + 1);
      this.goOn();
    }, 1000 * (next ? Math.min(MOST_S, next.time - now.time) : 0));
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    write($("play"), "play");
  }

  // The picture at which it happened.
  nearest() {
    const apart = this.shots.map(({ time }) => Math.abs(time - this.event.time));
    return apart.indexOf(Math.min(...apart));
  }

  show(place) {
    const shot = this.shots[place];
    const picture = shot && this.pictures.get(shot.kept);
    if (!picture) return;
    this.place = place;
    Object.assign(this.canvas, { width: picture.width, height: picture.height });
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    this.overlay.show(shot, this.look);
    $("place").value = place;
    $("place").setAttribute("aria-valuetext", whenOf(shot));
    write($("when"), whenOf(shot));
  }
}

const whenOf = ({ clock, time }) => (clock ? timeOfDay(clock) : position(time));
