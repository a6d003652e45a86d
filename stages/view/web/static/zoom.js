// The part of the picture that is looked at: enlarged about a point, and moved with the pointer. What is drawn on it
// follows as vectors, and labels stay as large as they are.

const MOST = 8;
const STEP = 1.5;
const STEP_OF_WHEEL = 1.15;

export class Zoom {
  // frame: what holds the picture; moved: the elements that are transformed; changed(): the part is another one.
  constructor(frame, moved, changed) {
    Object.assign(this, { frame, moved, changed, k: 1, x: 0, y: 0, grip: null });
    frame.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    frame.addEventListener("dblclick", (event) => this.isFree && this.about(this.k > 1 ? 1 / this.k : 2, ...this.at(event)));
    frame.addEventListener("pointerdown", (event) => this.take(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) frame.addEventListener(kind, () => this.release());
    new ResizeObserver(() => this.lay()).observe(frame);
  }

  // Larger, or smaller where by is below 0, about the middle.
  step(by) {
    const { clientWidth, clientHeight } = this.frame;
    this.about(STEP ** by, clientWidth / 2, clientHeight / 2);
  }

  reset() {
    Object.assign(this, { k: 1, x: 0, y: 0 });
    this.lay();
  }

  // So many times as large, with this point of the frame where it is.
  about(times, x, y) {
    const k = Math.min(MOST, Math.max(1, this.k * times));
    Object.assign(this, { x: x - (x - this.x) * (k / this.k), y: y - (y - this.y) * (k / this.k), k });
    this.lay();
  }

  // Whether the pointer is not needed for zones and lines.
  get isFree() {
    return !this.frame.querySelector(".drawing");
  }

  // A wheel alone scrolls the page; trackpads say that fingers are spread as a wheel with Ctrl.
  turn(event) {
    if (!event.ctrlKey && !event.metaKey && !document.fullscreenElement) return;
    event.preventDefault();
    this.about(event.deltaY < 0 ? STEP_OF_WHEEL : 1 / STEP_OF_WHEEL, ...this.at(event));
  }

  take(event) {
    if (this.k === 1 || !this.isFree || event.button !== 0) return;
    this.grip = [event.clientX - this.x, event.clientY - this.y];
    this.frame.setPointerCapture(event.pointerId);
  }

  move({ clientX, clientY }) {
    if (!this.grip) return;
    Object.assign(this, { x: clientX - this.grip[0], y: clientY - this.grip[1] });
    this.lay();
  }

  release() {
    this.grip = null;
  }

  at({ clientX, clientY }) {
    const { left, top } = this.frame.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  lay() {
    const { clientWidth, clientHeight } = this.frame;
    this.x = Math.min(0, Math.max(clientWidth * (1 - this.k), this.x));
    this.y = Math.min(0, Math.max(clientHeight * (1 - this.k), this.y));
    for (const element of this.moved) element.style.transform = this.k === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.k})`;
    this.frame.classList.toggle("zoomed", this.k > 1);
    this.changed();
  }
}
