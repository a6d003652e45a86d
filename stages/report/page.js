// A line through all charts of a timeline, and what each of them holds at its time: by pointer or by keyboard.
for (const timeline of document.querySelectorAll(".timeline")) {
  const cursor = timeline.querySelector(".cursor"), slider = timeline.querySelector(".ticks");
  const seconds = Number(timeline.dataset.seconds);
  const charts = [...timeline.querySelectorAll(".lane")].map((lane) => ({
    who: lane.querySelector(".who").textContent,
    values: JSON.parse(lane.querySelector("[data-values]").dataset.values),
    output: lane.querySelector("output"),
  }));
  let now = 0;
  const clock = (s) => {
    const two = (n) => String(Math.floor(n)).padStart(2, "0");
    const rest = seconds < 60 ? (s % 60).toFixed(1).padStart(4, "0") : two(s % 60);
    return s >= 3600 ? `${Math.floor(s / 3600)}:${two(s / 60 % 60)}:${rest}` : `${Math.floor(s / 60)}:${rest}`;
  };
  const hide = () => {
    cursor.hidden = true;
    for (const {output} of charts) output.value = "";
  };
  const show = (at) => {
    now = Math.min(seconds, Math.max(0, at));
    const place = slider.getBoundingClientRect(), left = now / seconds * place.width;
    cursor.hidden = false;
    cursor.style.left = `${place.left - timeline.getBoundingClientRect().left + left}px`;
    cursor.firstChild.textContent = clock(now);
    const told = [clock(now)];
    for (const {who, values, output} of charts) {
      const row = values.find(([from, to]) => from <= now && now < to);
      output.value = row ? row[2] || "there" : "";
      output.style.left = `${left}px`;
      output.classList.toggle("left", now > seconds / 2);
      if (row) told.push(`${who}: ${row[2] || "there"}`);
    }
    slider.setAttribute("aria-valuenow", now.toFixed(3));
    slider.setAttribute("aria-valuetext", told.join("; "));
  };
  timeline.addEventListener("pointermove", (event) => {
    const place = slider.getBoundingClientRect(), share = (event.clientX - place.left) / place.width;
    if (share < 0 || share > 1) hide(); else show(share * seconds);
  });
  timeline.addEventListener("pointerleave", () => { if (document.activeElement !== slider) hide(); });
  slider.addEventListener("focus", () => show(now));
  slider.addEventListener("blur", hide);
  slider.addEventListener("keydown", (event) => {
    const steps = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 20, PageDown: -20};
    const ends = {Home: 0, End: seconds};
    const to = event.key in steps ? now + steps[event.key] * seconds / 200 : ends[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}

// Rows to the clipboard as CSV. A text that a spreadsheet would run as a formula gets an apostrophe.
const formula = /^[=+@\t\r\n]|^-(?![\d.]+$)/;
const copyRows = async (button, rows) => {
  const cell = (text) => `"${(formula.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  const csv = rows.map((row) => row.map((value) => cell(String(value ?? ""))).join(",")).join("\r\n");
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(csv);
    button.textContent = "Copied";
  } catch {
    // Without the permission: the old way, from a field that is selected.
    const field = document.body.appendChild(document.createElement("textarea"));
    field.value = csv;
    field.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "The browser does not allow it: select the table";
    field.remove();
  }
  setTimeout(() => { button.textContent = said; }, 2000);
};
for (const details of document.querySelectorAll("details.data")) {
  const button = details.querySelector(".copy");
  button.hidden = false;
  button.addEventListener("click", () => {
    copyRows(button, [...details.querySelectorAll("tr")].map((row) => [...row.cells].map((one) => one.textContent)));
  });
}

// On paper nothing can be unfolded.
let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details.engineering:not([open])")];
  for (const details of unfolded) details.open = true;
});
window.addEventListener("afterprint", () => { for (const details of unfolded) details.open = false; });

// The faces of pictures, sorted and filtered by what is said of each. What is not known comes last.
const natural = new Intl.Collator("en", {numeric: true});
for (const finder of document.querySelectorAll(".finder:not(.rows)")) {
  const gallery = finder.nextElementSibling;
  const faces = [...gallery.children].map((article) => ({article, said: JSON.parse(article.dataset.said)}));
  const fields = [...finder.querySelectorAll("[data-column]")];
  const passes = ({said}) => fields.every((field) => {
    const wanted = field.value, cell = said[field.dataset.column];
    if (wanted === "") return true;
    if (cell === undefined) return false;
    if (field.type === "search") return String(cell).toLowerCase().includes(wanted.toLowerCase());
    if (field.type !== "number") return cell === wanted;
    return field.dataset.end === "from" ? cell >= Number(wanted) : cell <= Number(wanted);
  });
  let shown = faces;
  const show = () => {
    const column = finder.elements.sort.value, way = finder.elements.down.checked ? -1 : 1;
    shown = faces.filter(passes);
    if (column === "" && way < 0) shown.reverse();
    if (column !== "") {
      const isKnown = (face) => face.said[column] !== undefined;
      const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : natural.compare(a, b));
      const known = shown.filter(isKnown).sort((a, b) => way * order(a.said[column], b.said[column]));
      shown = [...known, ...shown.filter((face) => !isKnown(face))];
    }
    gallery.replaceChildren(...shown.map((face) => face.article));
    const all = faces.length.toLocaleString("en");
    finder.querySelector("output").value = `${shown.length.toLocaleString("en")} of ${all} faces`;
  };
  finder.addEventListener("input", show);
  finder.addEventListener("submit", (event) => event.preventDefault());
  const copy = finder.querySelector(".copy");
  copy.addEventListener("click", () => {
    const columns = [...new Set(shown.flatMap((face) => Object.keys(face.said)))];
    copyRows(copy, [columns, ...shown.map((face) => columns.map((column) => face.said[column]))]);
  });
  finder.hidden = false;
  finder.querySelector("output").value = `${faces.length.toLocaleString("en")} faces`;
}

// A table of films: sorted by a click on a heading, searched, copied whole, and shown a hundred rows at a time.
for (const table of document.querySelectorAll("table.sortable")) {
  const section = table.closest("section"), finder = section.querySelector(".finder.rows");
  const more = section.querySelector(".more"), body = table.tBodies[0], step = 100;
  const valueOf = (cell) => cell.dataset.value ?? cell.textContent;
  const rows = [...body.rows].map((row) => ({row, values: [...row.cells].map(valueOf)}));
  const heads = [...table.tHead.rows[0].cells], said = heads.map((head) => head.textContent);
  const isNumber = said.map((_, column) => rows.every(({values}) => values[column] === "" || !isNaN(values[column])));
  let order = rows, shown = rows, most = step, sorted = 0, way = 1;
  const draw = () => {
    body.replaceChildren(...shown.slice(0, most).map(({row}) => row));
    const rest = shown.length - most;
    more.hidden = rest <= 0;
    more.textContent = `Show ${Math.min(step, rest).toLocaleString("en")} more`;
    const [some, all] = [shown.length, rows.length].map((count) => count.toLocaleString("en"));
    const films = rows.length === 1 ? "film" : "films";
    finder.querySelector("output").value = shown.length < rows.length ? `${some} of ${all} ${films}` : `${all} ${films}`;
  };
  const find = () => {
    const wanted = finder.elements.find.value.toLowerCase();
    shown = wanted ? order.filter(({values}) => values[0].toLowerCase().includes(wanted)) : order;
    most = step;
    draw();
  };
  const sort = (column) => {
    way = column === sorted ? -way : isNumber[column] ? -1 : 1;  // Of numbers one looks for the largest.
    sorted = column;
    const compare = isNumber[column] ? (a, b) => a - b : natural.compare;
    const known = rows.filter(({values}) => values[column] !== "");
    known.sort((a, b) => way * compare(a.values[column], b.values[column]));
    order = [...known, ...rows.filter(({values}) => values[column] === "")];
    heads.forEach((head, at) => head.setAttribute("aria-sort", at !== column ? "none" : way > 0 ? "ascending" : "descending"));
    find();
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column));
    head.replaceChildren(button);
    head.setAttribute("aria-sort", column === 0 ? "ascending" : "none");
  });
  finder.addEventListener("input", find);
  finder.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => { most += step; draw(); });
  const copy = finder.querySelector(".copy");
  copy.addEventListener("click", () => copyRows(copy, [said, ...shown.map(({values}) => values)]));
  finder.hidden = false;
  draw();
}
