// What was said and is not known to be on the server's disk.
//
// It waits in localStorage, so that neither a closed tab nor a server that is down loses it, and is
// sent one after the other, in order, again and again. Each thing that is said has a token, by which
// the server passes over what it has already: so to send twice, from two tabs even, does no harm,
// and each tab takes over what it finds of tabs before it. An undo is never a thing taken back
// here: the answer may be on its way. It follows the answer, unless that was refused. All names the
// page, whose rows these are: at this port another project may be served by now.

const PAUSES = [300, 1000, 2000, 5000]; // ms between two tries, the last one from then on
const PATIENCE = 15000; // ms until something that was sent counts as lost

export function newToken() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  waiting = []; // in order; the first is being sent
  refused = []; // what the server would not take, with its sentence, until the person has decided
  trouble = ""; // why it does not move: "", "unreachable", "locked", "failing"
  isKept = true; // whether localStorage takes it
  #page;
  #prefix;
  #name;
  #wake = () => {};
  #isSending = false;

  // Told of each change: `changed(outbox)`; `saved(thing, reply)` of what the server has on its
  // disk; `refused(thing)`.
  constructor(page, client, { changed, saved, refused }) {
    this.#page = page;
    this.#prefix = `jax_al ${page} `;
    this.#name = this.#prefix + client;
    this.tell = { changed, saved, refused };
    this.#takeOver();
    for (const event of ["online", "focus"]) addEventListener(event, () => this.#wake());
    this.#send();
  }

  add(...things) {
    this.waiting.push(...things);
    this.#keep();
    this.#send();
  }

  // The person has decided about something that was refused.
  settle(thing) {
    this.refused = this.refused.filter((one) => one.token !== thing.token);
    this.#keep();
  }

  rows() {
    return this.waiting.filter((one) => one.row !== undefined).map((one) => one.row);
  }

  #takeOver() {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(this.#prefix));
      for (const name of names.sort()) {
        const { waiting, refused } = JSON.parse(localStorage.getItem(name));
        this.waiting.push(...waiting);
        this.refused.push(...refused);
      }
      this.#keep();
      for (const name of names) if (name !== this.#name) localStorage.removeItem(name);
    } catch {
      this.isKept = false;
    }
  }

  #keep() {
    const { waiting, refused } = this;
    try {
      if (waiting.length || refused.length)
        localStorage.setItem(this.#name, JSON.stringify({ waiting, refused }));
      else localStorage.removeItem(this.#name);
      this.isKept = true;
    } catch { // full, or not allowed
      this.isKept = false;
    }
    this.tell.changed(this);
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let tries = 0; this.waiting.length; ) {
      const thing = this.waiting[0];
      const reply = await post(thing.path, { ...thing.body, page: this.#page });
      if (reply.status !== 200 && !isRefusal(reply)) {
        this.trouble = !isOurs(reply) ? "unreachable" : reply.status === 403 ? "locked" : "failing";
        this.tell.changed(this);
        const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)];
        await new Promise((wake) => {
          this.#wake = wake;
          setTimeout(wake, pause);
        });
        continue;
      }
      tries = 0;
      this.trouble = "";
      this.waiting.shift();
      if (reply.status !== 200) this.#refuse(thing, reply);
      this.#keep();
      if (reply.status === 200) this.tell.saved(thing, reply.data);
    }
    this.#isSending = false;
  }

  #refuse(thing, reply) {
    this.refused.push({ ...thing, sentence: reply.data.error, isConflict: reply.status === 409 });
    this.waiting = this.waiting.filter((one) => one.of !== thing.token); // nothing to undo
    this.tell.refused(thing);
  }
}

// Whether it is our server that says no, in a sentence. What stands in between, or listens at the
// port after it has ended, decides about nothing that was said.
const isOurs = (reply) => typeof reply.data?.error === "string";
const isRefusal = (reply) => isOurs(reply) && reply.status !== 403 && reply.status < 500;

// Status 0: nobody answered, or the server was killed while it did, or it was another one.
export async function post(path, body) {
  return ask(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
}

export async function ask(path, options = {}) {
  try {
    const reply = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    const data = await reply.json().catch(() => null); // cut off, or a page of somebody else
    if (reply.ok && (data === null || typeof data !== "object")) throw new Error("no answer");
    return { status: reply.status, data };
  } catch {
    return { status: 0, data: null };
  }
}
