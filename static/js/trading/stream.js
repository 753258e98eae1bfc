// One stream a tab, replayed by contiguous number. A gap, a silence or a hidden tab: begin again from a snapshot.

const SILENCE = 12_000;

export class Stream {
  /** `restart` fetches a snapshot and answers its number; `event` takes each event; `stale` is told true or false. */
  constructor(url, { restart, event, stale }) {
    Object.assign(this, { url, restart, event, stale });
    this.number = null;
    this.source = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    addEventListener("online", () => this.open());
    addEventListener("offline", () => this.stale(true));
  }

  async open() {
    this.close();
    try {
      this.number = await this.restart();
    } catch {
      this.stale(true);
      this.again = setTimeout(() => this.open(), 2000);
      return;
    }
    const source = new EventSource(`${this.url}?after=${this.number}`);
    this.source = source;
    source.addEventListener("hello", () => this.heard());
    source.addEventListener("beat", () => this.heard());
    source.addEventListener("message", (message) => this.take(Number(message.lastEventId), message.data));
    source.addEventListener("error", () => this.lost());
    this.listen();
  }

  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.silence);
    clearTimeout(this.again);
  }

  take(number, data) {
    this.heard();
    if (number <= this.number) return;
    if (number !== this.number + 1) {
      this.open();
      return;
    }
    this.number = number;
    this.event(JSON.parse(data));
  }

  heard() {
    this.stale(false);
    this.listen();
  }

  lost() {
    this.stale(true);
    this.close();
    this.again = setTimeout(() => this.open(), 1000);
  }

  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(), SILENCE);
  }
}
