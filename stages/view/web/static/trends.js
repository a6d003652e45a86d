// The charts of a source: what its stages say over the last minute, and how fast the run is.

import { Chart, colours, drawLines, drawStacks } from "./charts.js";
import { make } from "./dom.js";
import { foldable } from "./folding.js";
import { nearest, OVER_S } from "./store.js";
import { areClasses, areSeveral, capital, phrase } from "./words.js";

const MOST_READINGS = 6;

export class Trends {
  // Where charts go: those of several classes, those of lines, those of numbers of the run.
  constructor(stacks, lines, speeds) {
    Object.assign(this, { stacks, lines });
    this.charts = new Map(); // by stage
    this.speed = new Chart("Frames a second", 104);
    this.latency = new Chart("Latency", 104);
    for (const chart of [this.speed, this.latency]) add(speeds, chart);
  }

  // One chart for each of these stages that has labels.
  lay(stages, labels) {
    const kept = new Map();
    for (const stage of stages.filter((stage) => stage in labels)) {
      const isStack = areSeveral(labels[stage]);
      const chart = this.charts.get(stage) ?? new Chart(capital(stage), ...(isStack ? [306, 0] : [132]));
      kept.set(stage, chart);
      if (chart.element.isConnected) continue;
      add(isStack ? this.stacks : this.lines, chart);
      if (isStack) chart.element.append(legend(labels[stage]));
    }
    for (const [stage, chart] of this.charts) if (!kept.has(stage)) chart.element.remove();
    this.charts = kept;
  }

  // known: the store of the source; now: the time at which the charts end, on its clock.
  draw(known, now) {
    const at = Chart.ago === null ? known.newest : nearest(known.faces, now - Chart.ago);
    for (const [stage, chart] of this.charts) {
      const labels = known.labels[stage];
      const people = known.people(stage).filter(({ runs }) => runs.at(-1).at(-1).t > now - OVER_S);
      const read = (at?.faces ?? []).filter(({ id, answers }) => id > 0 && answers[stage]);
      const said = read.slice(0, MOST_READINGS).map((face) => reading(face, phrase(labels, face.answers[stage])));
      chart.read.replaceChildren(...said);
      if (areSeveral(labels)) drawStacks(chart, now, known.inLanes(people), labels.map(([, shade]) => shade));
      else drawLines(chart, now, people.map((person) => lineOf(person, labels)), scaleOf(people, labels));
    }
    const then = Chart.ago === null ? known.latest : nearest(known.numbers, now - Chart.ago);
    drawNumbers(this.speed, known, now, "rate", then ? then.rate.toFixed(1) : "", colours().accent);
    const latency = then?.latency != null ? `${Math.round(then.latency)} ms` : "";
    drawNumbers(this.latency, known, now, "latency", latency, colours().second);
  }
}

function add(column, chart) {
  column.append(chart.element);
  foldable(chart.element, chart.title);
}

function legend(labels) {
  const entries = labels.map(([name, shade]) => {
    const entry = make("li", { textContent: name });
    entry.style.setProperty("--shade", shade);
    return entry;
  });
  return make("ul", { className: "legend" }, ...entries);
}

function reading({ id, colour }, said) {
  const span = make("span", { textContent: `#${id} ${said}`, className: "reading" });
  span.style.setProperty("--own", colour);
  return span;
}

function lineOf({ colour, runs }, labels) {
  const point = ({ t, numbers: [first, ...more] }) =>
    labels[0] === "years" ? { t, value: first, low: more[0], high: more[1] } : { t, value: labels[0] === "value" ? first : more[0] };
  return { colour, runs: runs.map((run) => run.map(point)) };
}

function scaleOf(people, labels) {
  if (areClasses(labels)) {
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
