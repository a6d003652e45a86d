// The live connection: it is made again whenever it is lost, and gives messages as [what is said, a picture as Blob].

const RETRY_S = 0.5; // after a connection was lost; doubles up to
const RETRY_MOST_S = 4;

export class Connection {
  // take(said, jpeg) is called with each message, and the next one comes when its promise is kept. became(state) is
  // called with "live", "lost" and "over".
  constructor(take, became) {
    Object.assign(this, { take, became, retry_s: RETRY_S, state: "waiting", socket: null });
  }

  connect() {
    const address = new URL("live", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.receive(socket, data).catch(console.error);
    socket.onclose = ({ code, reason }) => {
      const isOver = code === 1001 && reason === "over";
      // One that could not be made anew after the end is no news.
      this.become(isOver || this.state === "over" ? "over" : "lost");
      setTimeout(() => this.connect(), 1000 * this.retry_s);
      this.retry_s = Math.min(RETRY_MOST_S, 2 * this.retry_s);
    };
  }

  say(message, socket = this.socket) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  async receive(socket, data) {
    try {
      const length = new DataView(data).getUint32(0);
      const said = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
      this.become("live");
      this.retry_s = RETRY_S;
      await this.take(said, new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
      // A page in the background needs nothing until it is looked at again.
      if (document.hidden) await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
    } finally {
      this.say({ do: "ready" }, socket);
    }
  }

  become(state) {
    this.state = state;
    this.became(state);
  }
}
