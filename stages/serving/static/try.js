// One picture, which this server analyses; its faces are drawn here, as on the page of a run.

import { $, make, write } from "./dom.js";
import { Overlay } from "./overlay.js";
import { counted, percent, sentence } from "./words.js";

// What every browser shows as the server sees it. Of others the server draws: a browser may not know them, not turn them
// upright as the file says, or play them where they are animations.
const ALIKE = ["image/jpeg", "image/png"];

const { labels: colours, people, neutral } = JSON.parse($("colours").textContent);
const shown = $("picture");
const overlay = new Overlay($("overlay"));
let current = new AbortController(); // of the newest question; the one before is given up
let chosen = []; // the files that it is about
let token = "";

$("file").addEventListener("change", ({ target }) => {
  take([...target.files]);
  target.value = ""; // So that the same file can be chosen again.
});
document.addEventListener("paste", ({ clipboardData: { files } }) => files.length && take([...files]));
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take([...event.dataTransfer.files]);
  });
$("asked").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  take(chosen);
});

// Analyse the first of these files.
async function take(files) {
  current.abort();
  const { signal } = (current = new AbortController());
  chosen = files;
  clear();
  write($("said"), "Looking for faces");
  const said = await analysed(files, signal).catch(() => "The picture cannot be shown; try another one.");
  if (!signal.aborted) write($("said"), said);
}

// Show the faces of the first file; returns what is to be said.
async function analysed([file, ...others], signal) {
  if (!file) return "This is no file; drop a photograph, or save it first and choose the file.";
  if (!(await isReadable(file))) return `${file.name} cannot be read; drop a photograph, not a folder.`;
  const answer = await ask(file, "application/json", signal).catch(() => null);
  if (signal.aborted) return "";
  if (!answer) return "The server does not answer; look whether it still runs.";
  $("asked").hidden = answer.status !== 401;
  if (answer.status === 401) {
    $("token").focus();
    return token ? "This is not the token of this server." : "This server asks for its token.";
  }
  const found = await answer.json().catch(() => null);
  if (signal.aborted) return "";
  // A proxy in front of the server has answers of its own.
  if (!answer.ok || !found) return found?.error ?? `The picture was refused with the status ${answer.status}.`;
  await show(file, found, signal);
  const faces = found.faces.length ? counted(found.faces.length, "face", "faces") : "No face was found.";
  return others.length ? `${file.name}, the first of ${others.length + 1} files: ${faces}` : faces;
}

// A folder is no file, and a file may be gone.
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

function ask(file, accept, signal) {
  const type = file.type.startsWith("image/") ? file.type : "application/octet-stream"; // The server looks into it.
  const headers = { Accept: accept, "Content-Type": type };
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch("v1/analyze", { method: "POST", body: file, headers, signal });
}

async function show(file, found, signal) {
  const faces = found.faces.map(asDrawn);
  $("faces").replaceChildren(...faces.map(({ face, labels }) => entry(face, labels)));
  const labels = Object.assign({}, ...faces.map((each) => each.labels));
  if (!ALIKE.includes(file.type) || !(await put(file, signal))) {
    const drawn = await ask(file, "image/jpeg", signal);
    if (drawn.ok) await put(await drawn.blob(), signal);
  } else overlay.show({ ...found, faces: faces.map(({ face }) => face) }, { labels, hidden: new Set(), areas: {} });
}

// Put a picture into the page; false where this browser cannot show it, or where another one was chosen meanwhile.
async function put(blob, signal) {
  URL.revokeObjectURL(shown.src);
  shown.src = URL.createObjectURL(blob);
  const isDecoded = await shown.decode().then(() => true, () => false);
  if (!isDecoded || signal.aborted) return false;
  $("shown").hidden = false;
  $("drop").classList.add("full");
  return true;
}

function clear() {
  overlay.clear();
  $("faces").replaceChildren();
  $("shown").hidden = true;
  $("drop").classList.remove("full");
}

// A face of the answer as `Overlay` takes it, with the labels of its stages.
function asDrawn({ box, score, unsure, ...rest }, place) {
  const [answers, labels] = [{}, {}];
  for (const [stage, answer] of Object.entries(rest)) {
    if (answer?.scores) {
      labels[stage] = Object.keys(answer.scores).map((label) => [label, colours[label] ?? neutral]);
      answers[stage] = Object.values(answer.scores);
    } else if (answer?.years !== undefined) [labels[stage], answers[stage]] = [["years"], [answer.years, answer.low, answer.high]];
    else if (answer?.value !== undefined) [labels[stage], answers[stage]] = [["value"], [answer.value]];
  }
  const name = `${place + 1}`;
  return { face: { id: -1 - place, name, box, score, unsure, answers, colour: people[place % people.length] }, labels };
}

function entry({ name, colour, answers, unsure, score }, labels) {
  const said = unsure
    ? "not clear enough to be labelled"
    : Object.entries(answers).map(([stage, numbers]) => sentence(stage, labels[stage], numbers)).join(", ");
  const mark = make("b", { textContent: name });
  mark.style.borderColor = colour;
  return make("li", {}, mark, said || `a face, ${percent(score)}`);
}
