// One picture, which this server analyses; its faces are drawn here, as on the page of a run.

import { $, make, write } from "./dom.js";
import { Overlay } from "./overlay.js";
import { counted, percent, sentence } from "./words.js";

const { labels: colours, people, neutral } = JSON.parse($("colours").textContent);
const shown = $("picture");
const overlay = new Overlay($("overlay"));
let chosen = null; // the newest file that was asked about
let token = "";

$("file").addEventListener("change", ({ target }) => take(target.files[0]));
document.addEventListener("paste", ({ clipboardData }) => take(clipboardData.files[0]));
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files[0]);
  });
$("asked").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  take(chosen);
});

async function take(file) {
  if (!file) return;
  chosen = file;
  clear();
  write($("said"), "Looking for faces");
  try {
    const answer = await ask(file, "application/json");
    const found = await answer.json();
    if (file !== chosen) return; // Another one was dropped meanwhile.
    $("asked").hidden = answer.status !== 401;
    if (!answer.ok) return write($("said"), answer.status === 401 ? "This server asks for its token." : found.error);
    await show(file, found);
  } catch {
    if (file === chosen) write($("said"), "The server does not answer; look whether it still runs.");
  }
}

function ask(file, accept) {
  const headers = { Accept: accept, "Content-Type": file.type || "application/octet-stream" };
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch("v1/analyze", { method: "POST", body: file, headers });
}

async function show(file, found) {
  const faces = found.faces.map(asDrawn);
  write($("said"), found.faces.length ? counted(found.faces.length, "face", "faces") : "No face was found.");
  $("faces").replaceChildren(...faces.map(({ face, labels }) => entry(face, labels)));
  const labels = Object.assign({}, ...faces.map((each) => each.labels));
  try {
    await put(file);
    overlay.show({ ...found, faces: faces.map(({ face }) => face) }, { labels, hidden: new Set(), areas: {} });
  } catch {
    // A format that this browser does not know: the server draws.
    const drawn = await ask(file, "image/jpeg");
    if (file === chosen && drawn.ok) await put(await drawn.blob());
  }
}

async function put(blob) {
  URL.revokeObjectURL(shown.src);
  shown.src = URL.createObjectURL(blob);
  await shown.decode();
  $("shown").hidden = false;
  $("drop").classList.add("full");
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
