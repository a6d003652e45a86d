// The drawing of the pipeline: a box for each stage with its work, its queue and what it has lost.

const SVG = "http://www.w3.org/2000/svg";
const FLASH_MS = 6000;

export class Pipeline {
  constructor(element) {
    this.element = element;
    this.restarts = null;
    new ResizeObserver(() => this.connect()).observe(element);
  }

  // stages: how many processes each has, in order, `detect` first.
  lay({ stages }) {
    const [detect, ...attributes] = Object.keys(stages);
    const columns = [["capture"], [detect], attributes, ["render"]].filter((column) => column.length);
    const wanted = JSON.stringify([columns, stages]);
    if (this.laid === wanted) return;
    this.laid = wanted;
    this.boxes = {};
    this.columns = columns;
    this.stages = stages;
    this.lines = document.createElementNS(SVG, "svg");
    this.lines.setAttribute("aria-hidden", "true");
    this.element.replaceChildren(this.lines);
    for (const column of columns) {
      const box = document.createElement("div");
      box.className = "stages";
      for (const stage of column) box.append((this.boxes[stage] = newBox(stage, stages[stage] ?? 1)));
      this.element.append(box);
    }
    this.connect();
  }

  connect() {
    if (!this.lines) return;
    const origin = this.element.getBoundingClientRect();
    this.lines.replaceChildren();
    this.lines.setAttribute("viewBox", `0 0 ${origin.width} ${origin.height}`);
    for (let i = 1; i < this.columns.length; i++)
      for (const from of this.columns[i - 1])
        for (const to of this.columns[i]) {
          const [a, b] = [from, to].map((stage) => this.boxes[stage].getBoundingClientRect());
          const across = b.left >= a.right;
          const [x1, y1] = across ? [a.right, (a.top + a.bottom) / 2] : [(a.left + a.right) / 2, a.bottom];
          const [x2, y2] = across ? [b.left, (b.top + b.bottom) / 2] : [(b.left + b.right) / 2, b.top];
          const bend = across ? [(x1 + x2) / 2, y1, (x1 + x2) / 2, y2] : [x1, (y1 + y2) / 2, x2, (y1 + y2) / 2];
          const path = document.createElementNS(SVG, "path");
          const at = (x, y) => `${(x - origin.left).toFixed(1)} ${(y - origin.top).toFixed(1)}`;
          path.setAttribute("d", `M${at(x1, y1)} C${at(bend[0], bend[1])}, ${at(bend[2], bend[3])}, ${at(x2, y2)}`);
          this.lines.append(path);
        }
  }

  // numbers: a sample of the store; restarts: by stage, since the run began.
  show(numbers, restarts) {
    if (!this.boxes) return;
    for (const [stage, box] of Object.entries(this.boxes)) {
      const part = (name) => box.querySelector(`.${name}`);
      const [work, queue] = numbers?.loads[stage] ?? [null, null];
      const share = work === null ? 0 : work / (this.stages[stage] ?? 1);
      part("load").style.setProperty("--share", Math.min(1, share));
      part("load").classList.toggle("busy", share >= 0.9);
      part("work").textContent =
        stage === "capture" ? `${(numbers?.rate ?? 0).toFixed(1)} frames/s` : `${Math.round(100 * Math.min(1, share))} % busy`;
      part("queue").textContent = queue ? `${queue} waiting` : "";
      const dropped = numbers?.drops[stage] ?? 0;
      part("drops").textContent = dropped ? `${dropped} dropped` : "";
      const times = restarts[stage] ?? 0;
      part("restarts").textContent = times ? `restarted ${times === 1 ? "once" : `${times} times`}` : "";
      if (this.restarts && times > (this.restarts[stage] ?? 0)) flash(box);
    }
    this.restarts = { ...restarts };
  }
}

function newBox(stage, processes) {
  const box = document.createElement("div");
  box.className = "stage";
  box.dataset.stage = stage;
  box.innerHTML = `<h3></h3><div class="load"></div><p><span class="work"></span><span class="queue"></span></p>
    <p class="losses"><span class="drops"></span><span class="restarts"></span></p>`;
  const heading = box.querySelector("h3");
  heading.textContent = stage;
  if (processes > 1) {
    const many = document.createElement("small");
    many.textContent = `× ${processes}`;
    many.title = `${processes} processes`;
    heading.append(" ", many);
  }
  return box;
}

function flash(box) {
  box.classList.remove("flash");
  void box.offsetWidth; // So that the animation begins anew.
  box.classList.add("flash");
  clearTimeout(box.calming);
  box.calming = setTimeout(() => box.classList.remove("flash"), FLASH_MS);
}
