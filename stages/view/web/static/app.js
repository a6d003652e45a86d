// The page: what comes from the server goes to its parts, and what the person presses to the server.

import { Areas } from "./areas.js";
import { Bar } from "./bar.js";
import { Chart } from "./charts.js";
import { Connection } from "./connection.js";
import { $, write } from "./dom.js";
import { Faces } from "./faces.js";
import { Film } from "./film.js";
import { foldable } from "./folding.js";
import { addressOf, Gallery } from "./gallery.js";
import { PictureView } from "./picture.js";
import { Pipeline } from "./pipeline.js";
import { facesOf, Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { Timeline } from "./timeline.js";
import { Trends } from "./trends.js";
import { Wall } from "./wall.js";
import { Zoom } from "./zoom.js";

const REDRAW_MS = 50;
const narrow = matchMedia("(max-width: 620px)");
const KEYS = { g: "gender", e: "emotion", a: "age" };
const seconds = () => performance.now() / 1000;

const page = {
  state: "waiting", // live, lost, over
  run: null, // its name
  about: null, // sources, stages, style, whether faces are blurred in any case
  isMet: false, // whether the server that is there now has said so
  source: null, // null: all of them, beside each other
  hidden: new Set(),
  blur: false,
  paused: false,
  style: null, // how labels are drawn; null: as the configuration says
  stores: new Map(), // by source
  restarts: {},
  pictures: 0, // drawn so far
  clock: 0, // of the machine that renders, minus this browser's
};
window.facepipe = page; // For whoever is curious, and for the tests.

const picture = new PictureView();
const faces = new Faces($("faces"));
const trends = new Trends($("stacks"), $("lines"), $("speeds"));
const film = new Film($("film"));
const timeline = new Timeline($("events"), $("timeline"), $("happened"), play);
const zoom = new Zoom($("picture").parentElement, [$("picture"), $("drawn")], () => enlarged());
const gallery = new Gallery($("gallery"), $("pictures"), $("finished"), showChosen);
const wall = new Wall($("wall"), (name) => tabs.go(name));
const pipeline = new Pipeline($("pipeline"));
const tabs = new Tabs($("sources"), choose);
const bar = new Bar({ toggle, draw, pause, save, record, zoom: (by) => zoom.step(by), fill });
const [names, yaml] = $("areas").children;
const areas = new Areas($("drawn"), names, yaml, { zone: $("zone"), line: $("line") }, $("areas"));

// --- What the server says ---

async function take(said, jpeg) {
  page.restarts = said.restarts;
  page.clock = said.clock - seconds();
  if (said.about) meet(said.about);
  const { source, picture: drawn } = said;
  for (const each of [...(drawn ? [drawn] : []), ...(said.pictures ?? [])]) each.faces = facesOf(each.faces);
  if (source) {
    store(source).take(said, seconds());
    timeline.take(source, said.events ?? [], said.life, said.now, page.blur);
    gallery.take(source, said.pictures ?? [], page.blur);
  }
  for (const [name, events] of Object.entries(said.happened ?? {})) timeline.take(name, events, said.life, said.now, page.blur);
  if (said.saved) download(jpeg, said.saved);
  else if (drawn && page.source === null) await wall.show(source, jpeg, drawn, lookAt(source));
  else if (drawn && source === page.source && !gallery.chosen) await show(jpeg, drawn);
  else return;
  page.pictures += 1;
}

async function show(jpeg, said) {
  await picture.show(jpeg, said, lookAt(page.source));
  areas.fit(page.source, page.about?.sources.length > 1, said.width, said.height);
  faces.show(said.faces, store(page.source).labels ?? {});
  write($("count"), `${said.of}`);
}

// Show the picture of the gallery that was chosen; the newest again where none is.
async function showChosen() {
  const { chosen, newest } = gallery;
  bar.choose(chosen);
  const answer = await fetch(addressOf(chosen ?? newest, page.blur));
  if (gallery.chosen !== chosen) return;
  if (answer.ok) return show(await answer.blob(), chosen ?? newest);
  picture.clear("This picture is not on the page any more; the folder of the run has it.");
  faces.show([], {});
}

function meet(about) {
  // A render that has just begun does not know its sources yet: it is told what is looked at when it does.
  const known = about.sources.map(({ name }) => name);
  const wasKnown = page.isMet && (page.source === null || sourceOf(page.source));
  if (page.run !== about.run) beginAnew(about.run);
  Object.assign(page, { about, isMet: true });
  for (const { name } of about.sources) store(name).labels = labelsOf(name);
  const before = page.source;
  page.source = tabs.wanted(known, page.source);
  for (const stage of page.hidden) if (!(stage in about.stages)) page.hidden.delete(stage);
  layOut();
  if (!wasKnown || before !== page.source) look(true);
}

// Another run than the one that is shown: its frames and numbers of people are others. What was drawn stays, and settings.
function beginAnew(run) {
  Object.assign(page, { run, stores: new Map(), paused: false });
  timeline.forget();
  gallery.forget();
  picture.clear();
  faces.show([], {});
  bar.choose(null);
}

const sourceOf = (name) => page.about?.sources.find((source) => source.name === name);
const labelsOf = (name) => sourceOf(name)?.labels ?? {};

function store(source) {
  if (!page.stores.has(source)) page.stores.set(source, new Store());
  return page.stores.get(source);
}

function become(state) {
  if (state !== "live") page.isMet = false;
  page.state = state;
  $("state").dataset.state = state;
  write($("state"), { live: "live", lost: "reconnecting", over: "the run is over" }[state]);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  page.saved = { name, size: blob.size };
}

// --- What the person can press ---

// Tell the server what this page wants to see; with `again`, also what of it is here.
function look(again = false) {
  const { source, blur, paused } = page;
  if (!page.isMet || (source !== null && !sourceOf(source))) return;
  // Events and pictures are asked for anew: those that are here already are known by their numbers.
  const known = again && source !== null ? { life: store(source).life, known: [store(source).count, 0, 0] } : {};
  connection.say({ do: "look", source, blur, paused, ...known });
}

// Show another source; null: all of them.
function choose(name) {
  if (name === page.source) return;
  Object.assign(page, { source: name, pictures: 0, paused: false });
  picture.clear();
  zoom.reset();
  faces.show([], {});
  bar.choose(null);
  layOut();
  look(true);
}

// How labels are drawn on the pictures of a source: in short where there is little room, unless details are asked for.
function lookAt(name) {
  const { zones, lines, labels = {} } = sourceOf(name) ?? {};
  const isSmall = page.source === null || narrow.matches;
  const usual = isSmall && page.about?.style === "full" ? "plain" : page.about?.style;
  return { labels, hidden: page.hidden, style: page.style ?? usual, areas: { zones, lines } };
}

function layOut() {
  const { about, source } = page;
  document.title = `${source ?? "all sources"} – facepipe`;
  document.body.dataset.view = source === null ? "wall" : (sourceOf(source)?.kind ?? "video");
  tabs.lay(about?.sources.map(({ name }) => name) ?? [], source);
  if (!about) return;
  bar.lay(page, sourceOf(source), lookAt(source).style);
  wall.lay(source === null ? about.sources.map(({ name }) => name) : []);
  pipeline.lay(about);
  trends.lay(Object.keys(about.stages), source === null ? {} : (store(source).labels ?? {}));
  if (timeline.source !== source) timeline.show(source);
  if (source !== null && gallery.source !== source) gallery.show(source);
  redrawLabels();
}

// What is drawn follows at once: the picture below stays the same.
function redrawLabels() {
  if (page.source === null) wall.look(lookAt);
  else picture.look(lookAt(page.source));
}

function toggle(name) {
  if (name === "blur") {
    page.blur = !page.blur;
    timeline.hide(page.blur);
    gallery.hide(page.blur);
    if (gallery.chosen) showChosen();
    look();
  } else if (!page.hidden.delete(name)) page.hidden.add(name);
  layOut();
}

// How labels are drawn: `compact`, `full`, `boxes` or `none`.
function draw(style) {
  page.style = style;
  layOut();
}

// Fill the screen with the picture and its buttons, or leave it.
function fill() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.querySelector(".watch").requestFullscreen?.();
}

function enlarged() {
  $("smaller").disabled = zoom.k === 1;
  picture.enlarge(zoom);
}

function play(source, event, what) {
  film.open(event, what, lookAt(source), page.blur);
}

function pause() {
  if (page.source === null) return;
  page.paused = !page.paused;
  layOut();
  look();
}

function save() {
  if (page.source !== null && !gallery.chosen) connection.say({ do: "save", hide: [...page.hidden] });
}

function record(on) {
  connection.say({ do: "record", on });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
  if (!page.about || film.isOpen) return;
  const key = event.key.toLowerCase();
  const isGallery = document.body.dataset.view === "pictures";
  if (key === " " && event.target.tagName !== "BUTTON") pause();
  else if (key === "s") save();
  else if (key === "d") draw(lookAt(page.source).style === "full" ? "compact" : "full");
  else if (key === "f") fill();
  else if (page.source !== null && (key === "+" || key === "=")) zoom.step(1);
  else if (page.source !== null && key === "-") zoom.step(-1);
  else if (page.source !== null && key === "0") zoom.reset();
  else if (key === "b" && page.about.blur === "none") toggle("blur");
  else if (key === "escape" && gallery.chosen) gallery.pick(null);
  else if (key === "escape" && page.about.sources.length > 1) tabs.go(null);
  else if (isGallery && (key === "arrowleft" || key === "arrowright")) gallery.step(key === "arrowleft" ? -1 : 1);
  else if (KEYS[key] in page.about.stages) toggle(KEYS[key]);
  else return;
  event.preventDefault();
});

// --- What goes on by itself ---

let redrawn_ms = 0;

function redraw(ms) {
  requestAnimationFrame(redraw);
  if (ms - redrawn_ms < REDRAW_MS) return;
  redrawn_ms = ms;
  const about = sourceOf(page.source);
  write($("notice"), picture.notice(page.state, page.paused, about?.live));
  bar.turn(about);
  const known = page.stores.get(page.source);
  if (!known?.labels) return;
  const now = page.state === "live" ? Math.max(seconds(), known.end) : known.end;
  Chart.clock = about?.live ? now + page.clock : null;
  trends.draw(known, now);
  const { latest } = known;
  pipeline.show(latest, page.restarts);
  if (!latest) return;
  write($("speed"), `${latest.rate.toFixed(1)} frames/s${latest.latency === null ? "" : ` · ${Math.round(latest.latency)} ms`}`);
  const dropped = Object.values(latest.drops).reduce((sum, count) => sum + count, 0);
  write($("totals"), `${latest.frames} frames, ${latest.seen} faces, ${dropped ? `${dropped} dropped` : "none dropped"}`);
}

const connection = new Connection(take, become);
foldable(document.querySelector(".faces"), "faces", true);
foldable($("events"), "events", true);
foldable(document.querySelector(".pipeline"), "pipeline");
connection.connect();
requestAnimationFrame(redraw);
