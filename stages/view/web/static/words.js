// How answers and times are said. Labels of a stage: [[name, colour], …] of classes, ["years", …] or ["value"].

export const percent = (share) => `${Math.round(100 * (share ?? 0))} %`;
export const capital = (word) => word[0].toUpperCase() + word.slice(1);
export const counted = (count, one, more) => `${count} ${count === 1 ? one : more}`;

export const areClasses = (labels) => Array.isArray(labels[0]);
// Of several classes there is a bar for each; of two, one number says both.
export const areSeveral = (labels) => areClasses(labels) && labels.length > 2;

export const years = (number) => (number === null || number === undefined ? "–" : `${Math.max(0, Math.round(number))}`);

// The place of the most probable class.
export const bestOf = (numbers) => numbers.reduce((best, n, i) => ((n ?? -1) > (numbers[best] ?? -1) ? i : best), 0);

// An answer without its number: woman, happy, 31.
export function word(labels, numbers) {
  if (labels[0] === "years") return years(numbers[0]);
  if (labels[0] === "value") return `${numbers[0] ?? "–"}`;
  return labels[bestOf(numbers)][0];
}

// An answer with its number: woman 97 %, happy 91 %, 31.
export function phrase(labels, numbers) {
  return areClasses(labels) ? `${word(labels, numbers)} ${percent(numbers[bestOf(numbers)])}` : word(labels, numbers);
}

// The same in full: woman 97 %, age 31 (25–38).
export function sentence(stage, labels, numbers) {
  if (labels[0] === "years") return `${stage} ${years(numbers[0])} (${years(numbers[1])}–${years(numbers[2])})`;
  return labels[0] === "value" ? `${stage} ${word(labels, numbers)}` : phrase(labels, numbers);
}

// What a person is called by: a woman of 32.
export const isFirst = (stage) => stage === "gender" || stage === "age";

// "woman 32", and what else is said in one word each: "happy".
export function inShort({ name, answers, unsure }, labels, hidden = new Set()) {
  if (unsure) return [[name, "unsure"].filter(Boolean).join(" ")];
  const shown = Object.entries(answers).filter(([stage]) => labels[stage] && !hidden.has(stage));
  const first = shown.filter(([stage]) => isFirst(stage));
  const others = shown.filter(([stage]) => !isFirst(stage));
  const said = (some) => some.map(([stage, numbers]) => word(labels[stage], numbers));
  return [[name, ...said(first)].filter(Boolean).join(" "), ...said(others)].filter(Boolean);
}

// Seconds of a video as 1:02:03.4.
export function position(seconds) {
  const tenths = Math.floor(10 * seconds + 1e-6);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1);
  return hours ? `${hours}:${pad(minutes)}:${rest.padStart(4, "0")}` : `${minutes}:${rest.padStart(4, "0")}`;
}

// Seconds since 1970 as 09:14:07, in this browser's time zone.
export function timeOfDay(seconds) {
  const at = new Date(1000 * seconds);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(":");
}

const pad = (number) => `${number}`.padStart(2, "0");
