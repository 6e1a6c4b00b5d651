// Pictures that are decoded before they are wanted; text of items that have no picture.

const WIDTH = 1280, LARGE = 2560; // the server has these
export const PAUSE = 1500; // ms until a picture that nobody answered for is asked for again
const PATIENCE = 15000; // ms until nobody has answered

let isText = false; // whether the last one was text: then the next one is asked for as text

export class Pictures {
  #views = new Map(); // by row: { node, isReady }

  // `loaded(row)` when a view that was not ready is.
  constructor(loaded) {
    this.loaded = loaded;
  }

  // The view of an item, whose `node` may be shown as soon as it `isReady`.
  of(item) {
    let view = this.#views.get(item.row);
    if (!view) {
      view = { node: null, isReady: false };
      this.#views.set(item.row, view);
      this.#load(item, view);
    }
    return view;
  }

  // Lets go of all but some rows.
  keep(rows) {
    for (const row of [...this.#views.keys()]) if (!rows.has(row)) this.#views.delete(row);
  }

  async #load(item, view) {
    while (this.#views.get(item.row) === view) {
      const node = await seen(item, WIDTH);
      if (node) {
        Object.assign(view, { node, isReady: true });
        this.loaded(item.row);
        return;
      }
      await new Promise((wake) => setTimeout(wake, PAUSE));
    }
  }
}

// What is to be seen of an item: its picture, decoded; where it is none, its text or the sentence
// why. null: nobody answered.
export async function seen(item, width) {
  return (!isText && (await image(item, width))) || inWords(item, width);
}

async function inWords(item, width) {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const reply = await fetch(`/picture/${item.row}?width=${width}`, { signal });
    const type = reply.headers.get("Content-Type") ?? "";
    if (reply.status === 403 || reply.status >= 500) return null;
    isText = reply.ok && type.startsWith("text/plain");
    if (isText) return words("pre", "text", await reply.text());
    return reply.ok ? null : words("p", "fault", (await reply.json()).error);
  } catch {
    return null;
  }
}

// A picture of its item, decoded; null where there is none.
async function image(item, width) {
  const node = new Image();
  node.alt = item.id;
  node.decoding = "sync"; // the picture and its name change in one frame
  node.src = `/picture/${item.row}?width=${width}`;
  const late = setTimeout(() => (node.src = ""), PATIENCE); // then `decode` fails
  try {
    await node.decode();
    return node;
  } catch {
    return null;
  } finally {
    clearTimeout(late);
  }
}

export const enlarged = (item) => image(item, LARGE);

function words(tag, kind, text) {
  const node = document.createElement(tag);
  node.className = kind;
  node.textContent = text;
  return node;
}
