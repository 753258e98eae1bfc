// One stream a browser and series, shared by its tabs: one tab listens to the server and tells the others.
// Numbers have no gap: what is missed is asked for again by number, and what cannot be is fetched as a snapshot.

const SILENCE = 12_000;

export class Stream {
  /** `restart` fetches a snapshot and answers its number; `event` takes each event and answers whether the book still
   *  agrees with it; `stale` is told true or false. */
  constructor(url, { restart, event, stale }) {
    Object.assign(this, { url, restart, event, stale });
    this.number = null;
    this.waiting = null; // what came while a snapshot is fetched
    this.channel = new BroadcastChannel(url);
    this.channel.addEventListener("message", ({ data }) => this.isOpen && this.hear(data));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    addEventListener("online", () => this.open());
    addEventListener("offline", () => this.stale(true));
  }

  async open() {
    this.close();
    this.isOpen = true;
    this.listen();
    if (this.number === null) await this.fetch();
    // Who listens says at once how far it has come: a tab that comes back may have missed the last event of a quiet hour.
    this.channel.postMessage({ kind: "ask" });
    if (this.isOpen) this.lead();
  }

  close() {
    this.isOpen = false;
    clearTimeout(this.silence);
    this.release?.();
  }

  /** Listen to the server while nobody else does; without locks every tab does. */
  lead(steal = false) {
    if (this.release) return;
    let isOurs = true;
    const listening = () => {
      if (!isOurs || !this.isOpen) return undefined;
      return new Promise((done) => this.connect(done));
    };
    this.release = () => {
      isOurs = false;
      this.release = null;
      this.disconnect();
    };
    if (!navigator.locks) return void listening();
    // Stolen by a tab that heard nothing from this one: back into the line.
    navigator.locks.request(this.url, { steal }, listening).catch(() => isOurs && this.reconnect());
  }

  connect(done) {
    const source = new EventSource(`${this.url}?after=${this.number}`);
    this.source = source;
    this.disconnect = () => {
      clearTimeout(this.again);
      source.close();
      this.source = null;
      this.disconnect = () => {};
      done();
    };
    const tell = (news) => {
      this.channel.postMessage(news);
      this.hear(news);
    };
    for (const kind of ["hello", "beat", "reset"]) {
      source.addEventListener(kind, ({ data }) => tell({ kind, number: Number(data) }));
    }
    source.addEventListener("message", ({ lastEventId, data }) =>
      tell({ kind: "event", number: Number(lastEventId), data }),
    );
    source.addEventListener("error", () => {
      tell({ kind: "lost" });
      source.close();
      // Not all at the same moment, when the server comes back.
      this.again = setTimeout(() => this.reconnect(), 500 + 1500 * Math.random());
    });
  }

  disconnect() {}

  reconnect() {
    this.release?.();
    if (this.isOpen) this.lead();
  }

  hear(news) {
    if (news.kind === "ask") return this.source && this.channel.postMessage({ kind: "beat", number: this.number });
    if (news.kind === "lost") return this.stale(true);
    this.listen();
    if (news.kind === "reset") return this.fetch().then(() => this.reconnect());
    if (this.waiting) return void this.waiting.push(news);
    if (news.kind === "event") return this.take(news);
    // Everything up to a beat's number has been sent: what is not here was missed.
    if (news.kind === "beat" && news.number > this.number) return this.fetch();
    this.stale(false);
  }

  take({ number, data }) {
    if (number <= this.number) return;
    if (number !== this.number + 1) return void this.fetch();
    this.number = number;
    this.stale(false);
    if (!this.event(JSON.parse(data), number)) this.fetch();
  }

  /** The book as it is now, and then what came meanwhile. */
  async fetch() {
    if (this.waiting) return;
    this.waiting = [];
    try {
      this.number = await this.restart();
    } catch {
      this.stale(true);
      await new Promise((later) => setTimeout(later, 2000));
      this.waiting = null;
      return this.isOpen ? this.fetch() : undefined;
    }
    const came = this.waiting;
    this.waiting = null;
    for (const news of came) this.hear(news);
  }

  /** Silence: the connection is dead though nobody said so, or the tab that listened for us is asleep. */
  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.stale(true);
      this.listen();
      this.release?.();
      this.lead(true);
    }, SILENCE);
  }
}
