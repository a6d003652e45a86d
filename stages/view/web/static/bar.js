// The buttons below the picture.

import { $, button, write } from "./dom.js";

export class Bar {
  // does: what each button does: toggle(name), draw(style), pause(), save(), record(on), zoom(by), fill().
  constructor(does) {
    this.does = does;
    $("style").addEventListener("change", () => does.draw($("style").value));
    $("larger").addEventListener("click", () => does.zoom(1));
    $("smaller").addEventListener("click", () => does.zoom(-1));
    $("full").addEventListener("click", () => does.fill());
    $("full").hidden = !document.fullscreenEnabled;
    document.addEventListener("fullscreenchange", () => $("full").setAttribute("aria-pressed", document.fullscreenElement !== null));
    $("pause").addEventListener("click", () => does.pause());
    $("save").addEventListener("click", () => does.save());
    $("record").addEventListener("click", () => does.record($("record").getAttribute("aria-pressed") !== "true"));
  }

  // source: what is said of the one that is looked at; undefined where all are. style: how labels are drawn.
  lay(page, source, style) {
    const { about, hidden, blur, paused } = page;
    const attributes = Object.keys(about.stages).slice(1);
    if ($("switches").dataset.stages !== attributes.join()) {
      $("switches").dataset.stages = attributes.join();
      $("switches").replaceChildren(...[...attributes, "blur"].map((name) => button(name, () => this.does.toggle(name))));
    }
    for (const one of $("switches").children) {
      const name = one.textContent;
      const isForced = name === "blur" && about.blur !== "none";
      one.disabled = isForced;
      one.title = isForced ? "The configuration hides the faces" : name === "blur" ? "Hide the faces, for this page (B)" : "";
      one.setAttribute("aria-pressed", name === "blur" ? blur || isForced : !hidden.has(name));
    }
    $("style").value = style === "plain" ? "compact" : style;
    $("pause").setAttribute("aria-pressed", paused);
    $("pause").hidden = source?.kind === "pictures";
    $("record").hidden = !about.records || !source || source.kind === "pictures";
  }

  // picture: of the gallery, that is looked at; null where it is the newest, which alone is there in its full size.
  choose(picture) {
    $("save").disabled = picture !== null;
    $("save").title = picture ? "The annotated pictures are in the folder of the run" : "Save the picture in its full size (S)";
  }

  // Say how a recording goes.
  turn(source) {
    const { since, file, failure } = source?.recording ?? {};
    const isOn = since !== undefined && !file && !failure;
    $("record").setAttribute("aria-pressed", isOn);
    const lasts_s = isOn ? Math.max(0, Math.round(Date.now() / 1000 - since)) : 0;
    write($("recording"), isOn ? `recording, ${lasts_s} s` : failure ? `not recorded: ${failure}` : file ? `recorded: ${file}` : "");
  }
}
