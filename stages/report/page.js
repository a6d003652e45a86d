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
