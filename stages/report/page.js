// A line through all lanes at the pointer, with the time that it stands for.
for (const timeline of document.querySelectorAll(".timeline")) {
  const cursor = timeline.querySelector(".cursor"), lane = timeline.querySelector(".ticks");
  const seconds = Number(timeline.dataset.seconds);
  const clock = (s) => {
    const two = (n) => String(Math.floor(n)).padStart(2, "0");
    const rest = seconds < 60 ? (s % 60).toFixed(1).padStart(4, "0") : two(s % 60);
    return s >= 3600 ? `${Math.floor(s / 3600)}:${two(s / 60 % 60)}:${rest}` : `${Math.floor(s / 60)}:${rest}`;
  };
  timeline.addEventListener("pointermove", (event) => {
    const place = lane.getBoundingClientRect(), share = (event.clientX - place.left) / place.width;
    cursor.hidden = share < 0 || share > 1;
    cursor.style.left = `${event.clientX - timeline.getBoundingClientRect().left}px`;
    cursor.firstChild.textContent = clock(share * seconds);
  });
  timeline.addEventListener("pointerleave", () => { cursor.hidden = true; });
}

// The faces of pictures, sorted and filtered by what is said of each. What is not known comes last.
const natural = new Intl.Collator("en", {numeric: true});
for (const finder of document.querySelectorAll(".finder")) {
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
  const show = () => {
    const column = finder.elements.sort.value, way = finder.elements.down.checked ? -1 : 1;
    let shown = faces.filter(passes);
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
  finder.hidden = false;
  finder.querySelector("output").value = `${faces.length.toLocaleString("en")} faces`;
}
