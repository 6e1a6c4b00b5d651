// Twelve alike, to label in one go: all are in until they are taken out.

import { element } from "./panel.js";

const SMALL = 320; // pixels of width; the server has these
const byId = (id) => document.getElementById(id);

export class Grid {
  items = []; // those shown; empty: it is not open
  #out = new Set(); // rows taken out

  get isOpen() {
    return this.items.length > 0;
  }

  // Whether each picture is to be seen, or cannot be.
  get isReady() {
    return [...byId("tiles").querySelectorAll("img")].every((picture) => picture.complete);
  }

  // The items that are in.
  chosen() {
    return this.items.filter((item) => !this.#out.has(item.row));
  }

  open(items) {
    this.items = items;
    this.#out.clear();
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
    const picture = new Image();
    picture.alt = "";
    picture.src = `/picture/${item.row}?width=${SMALL}`;
    picture.onerror = () => this.#words(item, picture);
    tile.append(picture, element("span", item.id));
    tile.addEventListener("click", () => {
      if (!this.#out.delete(item.row)) this.#out.add(item.row);
      tile.setAttribute("aria-pressed", String(!this.#out.has(item.row)));
      this.#show();
    });
    return tile;
  }

  async #words(item, picture) {
    try {
      const reply = await fetch(picture.src);
      picture.replaceWith(element("span", await reply.text(), { class: "text" }));
    } catch {
      picture.alt = item.id;
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
