// The picture with what is drawn on it: a canvas, and vectors over it.

import { $, write } from "./dom.js";
import { Overlay } from "./overlay.js";
import { counted, inShort, position, timeOfDay } from "./words.js";

const OLD_S = 2; // a live picture that is older says so
const seconds = () => performance.now() / 1000;

export class PictureView {
  constructor() {
    this.canvas = $("picture");
    this.overlay = new Overlay($("overlay"));
    this.clear();
  }

  // Show a picture, a Blob, with what is said of it; look: as of Overlay.
  async show(jpeg, said, look) {
    const picture = await createImageBitmap(jpeg);
    const { canvas } = this;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    Object.assign(this, { said, drawn_s: seconds() });
    canvas.dataset.frame = said.frame;
    this.look(look);
    write($("which"), whichOf(said));
  }

  // The same picture, with other labels.
  look(look) {
    if (!this.said) return;
    this.overlay.show(this.said, look);
    const faces = this.said.faces.map((face) => inShort(face, look.labels, look.hidden).join(", "));
    this.canvas.setAttribute("aria-label", [`${whichOf(this.said)}: ${counted(this.said.of, "face", "faces")}`, ...faces].join("; "));
  }

  enlarge(zoom) {
    this.overlay.enlarge(zoom);
  }

  // instead: what is to be known in place of the picture.
  clear(instead = null) {
    Object.assign(this, { said: null, instead, drawn_s: seconds() });
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.canvas.setAttribute("aria-label", "No picture yet");
    this.overlay.clear();
    write($("which"), "");
  }

  // What has to be known of the picture that stands there. state: of the connection.
  notice(state, isPaused, isLive) {
    const old_s = Math.floor(seconds() - this.drawn_s);
    if (!this.said && this.instead) return this.instead;
    if (!this.said) return state === "live" ? "Waiting for the first picture" : "Waiting for the run";
    if (state === "lost") return "Reconnecting";
    if (isPaused) return "Paused";
    return isLive && old_s >= OLD_S && state === "live" ? `This picture is ${old_s} s old` : "";
  }
}

// Which picture it is: its file, or its frame and when it was taken.
function whichOf({ frame, file, clock, time }) {
  if (file) return file;
  return [`frame ${frame}`, ...(clock ? [timeOfDay(clock)] : time ? [position(time)] : [])].join(" · ");
}
