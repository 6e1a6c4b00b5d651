// Twelve alike, to label in one go: all are in until they are taken out.

import { element } from "./panel.js";
import { PAUSE, seen } from "./pictures.js";

const SMALL = 320; // pixels of width; the server has these
const byId = (id) => document.getElementById(id);

export class Grid {
  items = []; // those shown; empty: it is not open
  #out = new Set(); // rows taken out
  #seen = new Set(); // rows of which something is to be seen

  get isOpen() {
    return this.items.length > 0;
  }

  // Whether each picture that is in is to be seen, or why it cannot be.
  get isReady() {
    return this.chosen().every((item) => this.#seen.has(item.row));
  }

  // The items that are in.
  chosen() {
    return this.items.filter((item) => !this.#out.has(item.row));
  }

  open(items) {
    this.items = items;
    this.#out.clear();
    this.#seen.clear();
    byId("tiles").replaceChildren(...items.map((item) => this.#tile(item)));
    this.#show();
    byId("tiles").firstChild.focus();
  }

  close() {
    this.items = [];
    this.#show();
  }

  // Moves the focus by so many tiles to the right, or by lines downwards.
  move(right, down) {
    const tiles = [...byId("tiles").children];
    const columns = getComputedStyle(byId("tiles")).gridTemplateColumns.split(" ").length;
    const place = Math.max(0, tiles.indexOf(document.activeElement)) + right + down * columns;
    tiles[place]?.focus();
  }

  #tile(item) {
    const tile = element("button", "", { type: "button", "aria-pressed": "true" });
    const place = element("span", "", { class: "text" }); // of the picture
    tile.append(place, element("span", item.id));
    this.#fill(tile, place, item);
    tile.addEventListener("click", () => {
      if (!this.#out.delete(item.row)) this.#out.add(item.row);
      tile.setAttribute("aria-pressed", String(!this.#out.has(item.row)));
      this.#show();
    });
    return tile;
  }

  // Puts what is to be seen in its place; while nobody answers, it is asked for again.
  async #fill(tile, place, item) {
    for (;;) {
      const node = await seen(item, SMALL);
      if (!tile.isConnected || !this.isOpen) return; // it was left
      if (node) {
        node.alt = ""; // its name stands below
        place.replaceWith(node);
        this.#seen.add(item.row);
        return;
      }
      await new Promise((wake) => setTimeout(wake, PAUSE));
    }
  }

  #show() {
    byId("grid").hidden = !this.isOpen;
    byId("one").hidden = this.isOpen;
    const many = this.chosen().length;
    byId("grid-text").textContent = `A class labels the ${many} of ${this.items.length} that are `
      + "marked, in one go. A click, or arrows and Space, takes one out; Alike or Escape leaves.";
  }
}
