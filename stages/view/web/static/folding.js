// Panels that fold to their heading. On a narrow page only the picture and the faces are open at first.

import { button } from "./dom.js";

const narrow = matchMedia("(max-width: 900px)");
const KEY = "facepipe folded ";

// Make the words of a panel's heading a button that folds it. `name`: under which this browser remembers it.
export function foldable(panel, name, isOpenWhenNarrow = false) {
  const heading = panel.querySelector("h2");
  const words = heading.firstChild;
  const press = button(words.textContent.trim(), () => fold(remember(name, !panel.classList.contains("folded"))), {
    className: "fold",
  });
  words.replaceWith(press);
  const fold = (isFolded) => {
    panel.classList.toggle("folded", isFolded);
    press.setAttribute("aria-expanded", !isFolded);
  };
  const asUsual = () => fold(remembered(name) ?? (narrow.matches && !isOpenWhenNarrow));
  narrow.addEventListener("change", asUsual);
  asUsual();
}

// A browser may keep nothing for a page; then everything is as usual the next time.
function remember(name, isFolded) {
  try {
    localStorage.setItem(KEY + name, isFolded);
  } catch {}
  return isFolded;
}

function remembered(name) {
  try {
    const said = localStorage.getItem(KEY + name);
    return said === null ? null : said === "true";
  } catch {
    return null;
  }
}
