// Charts of the last minute, on canvases. All share one axis of time, and one line at which values are read.

import { make } from "./dom.js";
import { OVER_S } from "./store.js";
import { timeOfDay } from "./words.js";

const LEFT = 52;
const RIGHT = 10;
const BOTTOM = 18;
const TOP = 6;

let theme = null;

// The colours of the page, read again when the person's system turns light or dark.
export function colours() {
  if (theme) return theme;
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  theme = { ink: read("--ink"), quiet: read("--quiet"), line: read("--line"), accent: read("--accent"), second: read("--second") };
  theme.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return theme;
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (theme = null));

// A chart in a panel: a title, what is read at the line, and a canvas.
export class Chart {
  // left: room for the names of levels, in pixels.
  constructor(title, height, left = LEFT) {
    this.read = make("output", { ariaLive: "off" }); // It changes all the time.
    this.canvas = make("canvas", { tabIndex: 0, role: "slider", ariaLabel: `${title}, over the last minute` });
    const limits = { orientation: "horizontal", valuemin: -OVER_S, valuemax: 0, valuenow: 0 };
    for (const [name, value] of Object.entries(limits)) this.canvas.setAttribute(`aria-${name}`, value);
    this.element = make("section", { className: "panel chart", data: { chart: title }, ariaLabel: title });
    this.element.append(make("h2", {}, title, " ", this.read), this.canvas);
    Object.assign(this, { title, height, left });
    for (const kind of ["pointermove", "pointerdown"])
      this.canvas.addEventListener(kind, (event) => Chart.point(this, event.offsetX));
    for (const kind of ["pointerleave", "pointercancel", "blur"])
      this.canvas.addEventListener(kind, () => (Chart.ago = null));
    this.canvas.addEventListener("keydown", (event) => this.step(event));
  }

  static ago = null; // how many seconds ago the line stands, in every chart; null: there is none
  static clock = null; // the time of day at which charts end, in seconds since 1970; null: they say how long ago

  static point(chart, x) {
    const share = (x - chart.left) / (chart.width - chart.left - RIGHT);
    Chart.ago = OVER_S * (1 - Math.min(1, Math.max(0, share)));
  }

  // Move the line with the keys of a slider.
  step(event) {
    const by = { ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: OVER_S, End: -OVER_S }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    Chart.ago = Math.min(OVER_S, Math.max(0, (Chart.ago ?? 0) + by));
    this.canvas.setAttribute("aria-valuenow", -Chart.ago);
    // The values are written with the next drawing.
    setTimeout(() => this.canvas.setAttribute("aria-valuetext", `${Chart.ago} s ago: ${this.read.textContent || "nothing"}`), 100);
  }

  // Begin a drawing that ends at the time `now`; returns the context, or null where nobody would see it.
  begin(now, height = this.height) {
    const width = this.canvas.clientWidth;
    if (width <= this.left + RIGHT) return null;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.height = `${height}px`;
    }
    Object.assign(this, { now, width, drawn: height });
    const context = (this.context = this.canvas.getContext("2d"));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.lineJoin = "round";
    this.seconds();
    return context;
  }

  x(t) {
    return this.left + (1 - (this.now - t) / OVER_S) * (this.width - this.left - RIGHT);
  }

  // The axis of time.
  seconds() {
    const { context, width, drawn } = this;
    context.fillStyle = colours().quiet;
    context.textBaseline = "bottom";
    const isNarrow = Chart.clock !== null && width < 420; // Times of day are longer.
    for (const ago of isNarrow ? [60, 30, 0] : [60, 45, 30, 15, 0]) {
      context.textAlign = ago === 0 ? "right" : ago === 60 ? "left" : "center";
      const words = Chart.clock !== null ? timeOfDay(Chart.clock - ago) : ago === 0 ? "now" : `${ago} s`;
      context.fillText(words, ago === 0 ? width - RIGHT : this.x(this.now - ago), drawn);
    }
  }

  // A level with its name at the left edge.
  level(y, words) {
    const { context, width, left } = this;
    context.strokeStyle = colours().line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, Math.round(y) + 0.5);
    context.lineTo(width - RIGHT, Math.round(y) + 0.5);
    context.stroke();
    context.fillStyle = colours().quiet;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(words, left - 6, y, left - 8);
  }

  // Draw only what lies within the last minute.
  clipped(draw) {
    const { context, width, drawn } = this;
    context.save();
    context.beginPath();
    context.rect(this.left, 0, width - this.left - RIGHT, drawn - BOTTOM + 1);
    context.clip();
    draw();
    context.restore();
  }

  // The line at which values are read.
  end() {
    if (Chart.ago === null) return;
    const { context, drawn } = this;
    const x = Math.round(this.x(this.now - Chart.ago)) + 0.5;
    context.strokeStyle = colours().ink;
    context.globalAlpha = 0.55;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, TOP);
    context.lineTo(x, drawn - BOTTOM);
    context.stroke();
    context.globalAlpha = 1;
  }
}

// Lines, each perhaps with a band: [{colour, runs: [[{t, value, low, high}]]}], between two values.
export function drawLines(chart, now, lines, { low, high, levels, fill = false }) {
  const context = chart.begin(now);
  if (!context) return;
  const bottom = chart.drawn - BOTTOM;
  const y = (value) => bottom - ((value - low) / (high - low || 1)) * (bottom - TOP);
  for (const [value, words] of levels) chart.level(y(value), words);
  chart.clipped(() => {
    for (const { colour, runs } of lines)
      for (const run of runs) {
        if (run[0].low !== undefined || fill) {
          context.fillStyle = colour;
          context.globalAlpha = fill ? 0.12 : 0.14;
          context.beginPath();
          for (const p of run) context.lineTo(chart.x(p.t), y(fill ? p.value : p.high));
          for (const p of [...run].reverse()) context.lineTo(chart.x(p.t), y(fill ? low : p.low));
          context.fill();
          context.globalAlpha = 1;
        }
        context.lineCap = "round";
        context.beginPath();
        for (const p of run) context.lineTo(chart.x(p.t), y(p.value));
        context.lineTo(chart.x(run.at(-1).t) + 0.01, y(run.at(-1).value)); // One sample alone is a dot.
        // A dark edge on a light page: made dark enough themselves, the colours of people would be too much alike.
        if (!colours().dark) stroke(context, "rgb(0 0 0 / 0.5)", 4);
        stroke(context, colour, 2);
      }
  });
  chart.end();
}

const MOST_LANES = 6;
const LANE_GAP = 8;
const LOWEST_LANE = 44;

// Shares that make one whole, each person's in a lane: [{id, colour, lane, runs: [[{t, numbers}]]}].
export function drawStacks(chart, now, people, shades) {
  const lanes = Math.min(MOST_LANES, Math.max(1, ...people.map(({ lane }) => lane + 1)));
  const context = chart.begin(now, Math.max(chart.height, lanes * LOWEST_LANE + BOTTOM));
  if (!context) return;
  const each = (chart.drawn - BOTTOM) / lanes;
  const high = each - LANE_GAP;
  for (let lane = 0; lane < lanes; lane++) {
    context.fillStyle = colours().line;
    context.globalAlpha = 0.4;
    context.fillRect(chart.left, lane * each, chart.width - chart.left - RIGHT, high);
    context.globalAlpha = 1;
  }
  for (const { id, colour, lane, runs } of people) {
    if (lane >= lanes) continue;
    const top = lane * each;
    chart.clipped(() => {
      for (const run of runs) drawStack(chart, run, top, high, shades);
      const [from, to] = [chart.x(runs[0][0].t), chart.x(runs.at(-1).at(-1).t)];
      context.fillStyle = colour;
      context.fillRect(from, top + high, Math.max(2, to - from), 3);
    });
    label(chart, `#${id}`, Math.max(chart.left, chart.x(runs[0][0].t)), chart.x(runs.at(-1).at(-1).t), top, colour);
  }
  chart.end();
}

function stroke(context, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

function drawStack(chart, run, top, high, shades) {
  const { context } = chart;
  let below = run.map(() => 0);
  shades.forEach((shade, place) => {
    const above = run.map((p, i) => below[i] + (p.numbers[place] ?? 0));
    context.fillStyle = shade;
    context.beginPath();
    run.forEach((p, i) => context.lineTo(chart.x(p.t), top + high * (1 - Math.min(1, above[i]))));
    for (let i = run.length - 1; i >= 0; i--) context.lineTo(chart.x(run[i].t), top + high * (1 - below[i]));
    context.fill();
    below = above;
  });
}

// Who it is, where there is room for it.
function label(chart, words, from, to, top, colour) {
  const { context } = chart;
  context.font = "600 11px system-ui, sans-serif";
  const wide = context.measureText(words).width + 10;
  if (to - from < wide + 6) return;
  context.fillStyle = "rgb(16 22 32 / 78%)";
  context.beginPath();
  context.roundRect(from + 4, top + 4, wide, 17, 4);
  context.fill();
  context.fillStyle = colour;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(words, from + 9, top + 13);
}
