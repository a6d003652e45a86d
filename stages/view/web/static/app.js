// The page: talks with the server, and hands what comes to picture, cards, charts and drawing.

import { Areas } from "./areas.js";
import { Chart, colours, drawLines, drawStacks, inked } from "./charts.js";
import { Faces } from "./faces.js";
import { Pipeline } from "./pipeline.js";
import { nearest, OVER_S, Store } from "./store.js";

const RETRY_S = 0.5; // after a connection was lost; doubles up to
const RETRY_MOST_S = 4;
const OLD_S = 2; // a live picture that is older says so
const REDRAW_MS = 50;
const KEYS = { g: "gender", e: "emotion", a: "age" };

const $ = (id) => document.getElementById(id);
const seconds = () => performance.now() / 1000;

const page = {
  socket: null,
  state: "waiting", // live, lost, over
  about: null, // sources, stages, style, whether faces are blurred in any case
  source: null,
  hidden: new Set(),
  blur: false,
  paused: false,
  stores: new Map(), // by source
  restarts: {},
  retry_s: RETRY_S,
  pictures: 0, // drawn so far
  drawn_s: 0, // when the last one was
};
window.facepipe = page; // For whoever is curious, and for the tests.

const faces = new Faces($("faces"));
const pipeline = new Pipeline($("pipeline"));
const canvas = $("picture");
const [names, yaml] = $("areas").children;
const areas = new Areas($("drawn"), names, yaml, { zone: $("zone"), line: $("line") }, $("areas"));

// --- With the server ---

function connect() {
  const address = new URL("live", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => receive(socket, data).catch(console.error);
  socket.onclose = ({ code, reason }) => {
    const isOver = code === 1001 && reason === "over";
    page.about = null;
    // One that could not be made anew after the end is no news.
    become(isOver || page.state === "over" ? "over" : "lost");
    setTimeout(connect, 1000 * page.retry_s);
    page.retry_s = Math.min(RETRY_MOST_S, 2 * page.retry_s);
  };
  page.socket = socket;
}

async function receive(socket, data) {
  try {
    await take(data);
    // A page in the background needs nothing until it is looked at again.
    if (document.hidden) await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
  } finally {
    say(socket, { do: "ready" });
  }
}

async function take(data) {
  const length = new DataView(data).getUint32(0);
  const said = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const jpeg = new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" });
  become("live");
  page.retry_s = RETRY_S;
  page.restarts = said.restarts;
  if (said.about) meet(said.about);
  if (said.source) store(said.source).take(said, seconds());
  if (said.saved) download(jpeg, said.saved);
  else if (said.picture && said.source === page.source) await draw(jpeg, said.picture);
}

function say(socket, message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// Tell the server what this page wants to see; with `again`, also which samples it has.
function look(again = false) {
  const { source, hidden, blur, paused } = page;
  if (!page.about?.sources.some(({ name }) => name === source)) return;
  const known = again ? { known: [store(source).life, store(source).count] } : {};
  say(page.socket, { do: "look", source, hide: [...hidden], blur, paused, ...known });
}

function store(source) {
  if (!page.stores.has(source)) page.stores.set(source, new Store());
  return page.stores.get(source);
}

function meet(about) {
  // A render that has just begun does not know its sources yet: it is told what is looked at when it does.
  const wasKnown = page.about?.sources.some(({ name }) => name === page.source);
  page.about = about;
  for (const { name, labels } of about.sources) store(name).labels = labels;
  const names = about.sources.map(({ name }) => name);
  const before = page.source;
  if (!names.includes(page.source)) page.source = names[0] ?? page.source;
  for (const stage of page.hidden) if (!(stage in about.stages)) page.hidden.delete(stage);
  document.title = `${page.source ?? "waiting"} – facepipe`;
  layTabs(names);
  layOut();
  if (!wasKnown || before !== page.source) look(true);
}

function become(state) {
  page.state = state;
  $("state").dataset.state = state;
  $("state").textContent = { live: "live", lost: "reconnecting", over: "the run is over" }[state];
}

// --- The picture ---

async function draw(jpeg, { frame, file }) {
  const picture = await createImageBitmap(jpeg);
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  areas.fit(page.source, page.about?.sources.length > 1, canvas.width, canvas.height);
  page.pictures += 1;
  page.drawn_s = seconds();
  canvas.dataset.frame = frame;
  $("which").textContent = file ?? `frame ${frame}`;
}

function notice() {
  const old_s = Math.floor(seconds() - page.drawn_s);
  const isLive = page.about?.sources.find(({ name }) => name === page.source)?.live;
  let words = "";
  if (!page.pictures) words = page.state === "live" ? "Waiting for the first picture" : "Waiting for the run";
  else if (page.state === "lost") words = "Reconnecting";
  else if (page.paused) words = "Held";
  else if (isLive && old_s >= OLD_S && page.state === "live") words = `This picture is ${old_s} s old`;
  if ($("notice").textContent !== words) $("notice").textContent = words;
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

function layTabs(names) {
  const tabs = $("sources");
  if (tabs.dataset.names !== names.join("\n")) {
    tabs.dataset.names = names.join("\n");
    tabs.replaceChildren(...names.map((name) => button(name, () => choose(name))));
  }
  for (const tab of tabs.children) tab.setAttribute("aria-pressed", tab.textContent === page.source);
}

function choose(name) {
  page.source = name;
  page.pictures = 0;
  page.drawn_s = seconds();
  document.title = `${name} – facepipe`;
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  layTabs(page.about?.sources.map((source) => source.name) ?? [name]);
  layOut();
  look(true);
}

function button(words, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", press);
  return made;
}

function layOut() {
  const { about } = page;
  const attributes = Object.keys(about.stages).slice(1);
  if ($("switches").dataset.stages !== attributes.join()) {
    $("switches").dataset.stages = attributes.join();
    $("switches").replaceChildren(...[...attributes, "blur"].map((name) => button(name, () => toggle(name))));
  }
  for (const [name, one] of [...$("switches").children].map((one) => [one.textContent, one])) {
    const isForced = name === "blur" && about.blur !== "none";
    one.disabled = isForced;
    one.title = isForced ? "The configuration hides the faces" : name === "blur" ? "Hide the faces, for this page (B)" : "";
    one.setAttribute("aria-pressed", name === "blur" ? page.blur || isForced : !page.hidden.has(name));
  }
  pipeline.lay(about);
  layCharts();
}

function toggle(name) {
  if (name === "blur") page.blur = !page.blur;
  else if (!page.hidden.delete(name)) page.hidden.add(name);
  layOut();
  look();
}

function pause() {
  page.paused = !page.paused;
  $("pause").setAttribute("aria-pressed", page.paused);
  look();
}

$("pause").addEventListener("click", pause);
$("save").addEventListener("click", () => say(page.socket, { do: "save" }));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !page.about || event.target.tagName === "INPUT") return;
  const key = event.key.toLowerCase();
  if (key === " " && event.target.tagName !== "BUTTON") pause();
  else if (key === "s") say(page.socket, { do: "save" });
  else if (key === "b" && page.about.blur === "none") toggle("blur");
  else if (KEYS[key] in page.about.stages) toggle(KEYS[key]);
  else return;
  event.preventDefault();
});

// --- Charts ---

const speed = new Chart("Frames a second", 104);
const latency = new Chart("Latency", 104);
$("speeds").append(speed.element, latency.element);
let charts = new Map(); // by stage

function layCharts() {
  const labels = store(page.source).labels ?? {};
  const wanted = Object.keys(page.about.stages).filter((stage) => stage in labels);
  const kept = new Map();
  for (const stage of wanted) {
    const isStack = labels[stage].length > 2 && Array.isArray(labels[stage][0]);
    const chart = charts.get(stage) ?? new Chart(capital(stage), ...(isStack ? [306, 0] : [132]));
    kept.set(stage, chart);
    if (!chart.element.isConnected) {
      $(isStack ? "stacks" : "lines").append(chart.element);
      if (isStack) chart.element.append(legend(labels[stage]));
    }
  }
  for (const [stage, chart] of charts) if (!kept.has(stage)) chart.element.remove();
  charts = kept;
}

function legend(labels) {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const [name, shade] of labels) {
    const entry = document.createElement("li");
    entry.textContent = name;
    entry.style.setProperty("--shade", shade);
    list.append(entry);
  }
  return list;
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const percent = (share) => `${Math.round(100 * share)} %`;

function drawCharts(known, now) {
  const at = Chart.ago === null ? known.newest : nearest(known.faces, now - Chart.ago);
  for (const [stage, chart] of charts) {
    const labels = known.labels[stage];
    const people = known.people(stage).filter(({ runs }) => runs.at(-1).at(-1).t > now - OVER_S);
    const read = (at?.faces ?? []).filter(({ id, answers }) => id > 0 && answers[stage]);
    chart.read.replaceChildren(...read.slice(0, 6).map((face) => reading(face, words(labels, face.answers[stage]))));
    if (labels.length > 2 && Array.isArray(labels[0])) drawStacks(chart, now, known.inLanes(people), labels.map(([, shade]) => shade));
    else drawLines(chart, now, people.map((person) => lineOf(person, labels)), scaleOf(people, labels));
  }
  const then = Chart.ago === null ? known.latest : nearest(known.numbers, now - Chart.ago);
  drawNumbers(speed, known, now, "rate", then ? then.rate.toFixed(1) : "", colours().accent);
  drawNumbers(latency, known, now, "latency", then?.latency != null ? `${Math.round(then.latency)} ms` : "", colours().second);
}

function reading({ id, colour }, said) {
  const span = document.createElement("span");
  span.textContent = `#${id} ${said}`;
  span.style.color = inked(colour);
  return span;
}

// What an answer says, in a word and a number.
function words(labels, numbers) {
  if (labels[0] === "years") return `${Math.max(0, Math.round(numbers[0] ?? 0))}`;
  if (labels[0] === "value") return `${numbers[0] ?? "–"}`;
  const best = numbers.reduce((b, n, i) => ((n ?? -1) > (numbers[b] ?? -1) ? i : b), 0);
  return `${labels[best][0]} ${percent(numbers[best] ?? 0)}`;
}

function lineOf({ colour, runs }, labels) {
  const point = ({ t, numbers: [first, ...more] }) =>
    labels[0] === "years" ? { t, value: first, low: more[0], high: more[1] } : { t, value: labels[0] === "value" ? first : more[0] };
  return { colour: inked(colour), runs: runs.map((run) => run.map(point)) };
}

function scaleOf(people, labels) {
  if (Array.isArray(labels[0])) {
    const [none, all] = [labels[0][0], labels.at(-1)[0]];
    return { low: -0.06, high: 1.06, levels: [[0, none], [0.5, ""], [1, all]] };
  }
  const values = people.flatMap(({ runs }) => runs.flatMap((run) => run.flatMap(({ numbers }) => numbers)));
  if (labels[0] === "years") {
    const high = Math.max(60, 20 * Math.ceil(Math.max(0, ...values) / 20));
    return { low: 0, high, levels: [0, high / 2, high].map((year) => [year, `${Math.round(year)}`]) };
  }
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const room = (high - low || 1) * 0.1;
  return { low: low - room, high: high + room, levels: [[low, low.toPrecision(3)], [high, high.toPrecision(3)]] };
}

function drawNumbers(chart, known, now, name, said, colour) {
  chart.read.textContent = said;
  const run = known.numbers.filter((sample) => sample[name] !== null).map((sample) => ({ t: sample.t, value: sample[name] }));
  const most = Math.max(1, ...run.map(({ value }) => value));
  const step = 10 ** Math.floor(Math.log10(most));
  const high = [1, 2, 3, 4, 5, 6, 8, 10].map((times) => times * step).find((level) => level >= most) ?? most;
  const levels = [0, high / 2, high].map((level) => [level, name === "rate" ? `${+level.toFixed(1)}` : `${+level.toFixed(1)} ms`]);
  drawLines(chart, now, run.length ? [{ colour, runs: [run] }] : [], { low: 0, high: high * 1.08, levels, fill: true });
}

let redrawn_ms = 0;

function redraw(ms) {
  requestAnimationFrame(redraw);
  if (ms - redrawn_ms < REDRAW_MS) return;
  redrawn_ms = ms;
  notice();
  const known = page.stores.get(page.source);
  if (!known?.labels) return;
  drawCharts(known, page.state === "live" ? Math.max(seconds(), known.end) : known.end);
  const { newest, latest } = known;
  faces.show(newest?.faces ?? [], known.labels);
  $("count").textContent = newest ? `${newest.faces.length}` : "";
  pipeline.show(latest, page.restarts);
  if (!latest) return;
  $("speed").textContent = `${latest.rate.toFixed(1)} frames/s${latest.latency === null ? "" : ` · ${Math.round(latest.latency)} ms`}`;
  const dropped = Object.values(latest.drops).reduce((sum, count) => sum + count, 0);
  $("totals").textContent = `${latest.frames} frames, ${latest.seen} faces, ${dropped ? `${dropped} dropped` : "none dropped"}`;
}

connect();
requestAnimationFrame(redraw);
