// The page: what is shown, and what each key does.
//
// One image at a time. What is said is shown as said at once and goes into the outbox; the next
// image is there already. `items[0]` is what is to be labeled, the others are loaded ahead.

import { confirmed, isAsking, openClasses, openFind } from "./dialogs.js";
import { Grid } from "./grid.js";
import { COMMANDS, keysOf, meant } from "./keys.js";
import { ask, newToken, Outbox } from "./outbox.js";
import { element, showClasses, showRefused, showSaved, showStatus } from "./panel.js";
import { enlarged, Pictures } from "./pictures.js";

const AHEAD = 5; // images that are loaded beside the one that is shown
const ALIKE = 12;
const PAST = 50; // answers of before this tab, to look back at
const POLL = 3000, SOON = 1000; // ms
const byId = (id) => document.getElementById(id);
const wait = (ms) => new Promise((wake) => setTimeout(wake, ms));

// A tab keeps its name when it is loaded again. While it is open nobody finds the name, so that
// a second one made of it (Duplicate) has its own.
function nameOfTab() {
  const name = sessionStorage.getItem("jax_al client") ?? newToken();
  sessionStorage.removeItem("jax_al client");
  addEventListener("pagehide", () => sessionStorage.setItem("jax_al client", name));
  return name;
}

const client = nameOfTab();
let status = null; // what the server said last
let classes = []; // {name, count, key}
let items = []; // the one that is shown, then those ahead
let past = []; // {row, id, answer}, last answered first
let done = []; // what can be undone here: {items, tokens, was}
let looking = 0; // how far back; 0: at items[0]
let since = 0; // when the item was shown, ms
let isEmpty = false; // whether the server had nothing
let outbox = null;
const grid = new Grid();
const pictures = new Pictures((row) => {
  if (shownItem()?.row === row) show();
});

const shownItem = () => (looking ? past[looking - 1] : items[0]);

function say(text) {
  byId("live").textContent = text;
}

// --- What is shown ------------------------------------------------------------------------------

function show() {
  const item = shownItem(), stage = byId("stage");
  const view = item && pictures.of(item);
  const row = view?.isReady ? String(item.row) : "";
  if (!row || stage.dataset.row !== row) {
    zoom(false);
    stage.replaceChildren(row ? view.node : element("p", waitingFor(item), { class: "fault" }));
    stage.dataset.row = row;
    since = performance.now();
  }
  stage.setAttribute("aria-label", row ? `To label: ${item.id}` : waitingFor(item));
  byId("caption").textContent = item?.id ?? "";
  byId("banner").hidden = !looking;
  byId("banner").textContent = looking ? `${looking} back: you said ${item.answer}` : "";
  drawClasses();
  pictures.keep(new Set([...items, ...past.slice(0, Math.max(AHEAD, looking + 1))].map((one) => one.row)));
  for (const one of items) pictures.of(one);
}

function waitingFor(item) {
  if (item) return "Loading the picture";
  if (!isEmpty) return "Waiting for the server";
  return status?.training ? "Nothing to label until it is trained" : "Nothing is left to label";
}

function drawClasses() {
  const item = shownItem();
  showClasses(classes, looking ? item.answer : null, looking ? null : item?.suggestion, label);
}

function changed(box) {
  showSaved(box);
  showRefused(box.refused, (thing) => {
    box.settle(thing);
    const body = { ...thing.body, relabel: true, token: newToken() };
    box.add({ path: thing.path, row: thing.row, id: thing.id, token: body.token, body });
  }, (thing) => box.settle(thing));
}

// --- What comes from the server -----------------------------------------------------------------

let filling = false, fillNow = () => {};
const meanwhile = new Set(); // rows answered since the server was asked: it did not know that yet
async function fill() {
  if (filling) return fillNow();
  filling = true;
  while (items.length <= AHEAD) {
    const holding = [...new Set([...items.map((item) => item.row), ...outbox.rows()])];
    const count = AHEAD + 1 - items.length;
    meanwhile.clear();
    const reply = await ask(`/api/next?client=${client}&count=${count}&holding=${holding}`);
    const held = new Set([...items.map((item) => item.row), ...outbox.rows(), ...meanwhile]);
    const fresh = (reply.data?.items ?? []).filter((item) => !held.has(item.row));
    isEmpty = reply.status === 200 && !reply.data.items.length;
    const first = !items.length;
    items.push(...fresh);
    if (fresh.length || first) show();
    if (!fresh.length) await Promise.race([wait(first ? SOON : POLL), new Promise((wake) => (fillNow = wake))]);
  }
  filling = false;
}

let isAsked = false, isOther = false;
async function refresh() {
  if (isAsked) return;
  isAsked = true;
  const before = status;
  const reply = await ask("/api/status");
  isAsked = false;
  if (reply.status !== 200 || status !== before) return; // classes have changed since it was asked
  isOther = status !== null && reply.data.page !== status.page;
  if (isOther) location.reload(); // another project: what waits here waits for its own page
  else take(reply.data);
}

function take(fresh) {
  status = fresh;
  const keys = keysOf(fresh.classes.map((one) => one.name));
  classes = fresh.classes.map(({ name, count }, place) => ({ name, count, key: keys[place] }));
  showStatus(fresh);
  drawClasses();
}

let soon = 0;
function saved(thing, reply) {
  if (thing.undo && !thing.of && reply.item) comeBack([reply.item]); // of before this tab
  else if (thing.undo && !thing.of) say("There is nothing to undo.");
  soon ||= setTimeout(() => {
    soon = 0;
    refresh();
  }, SOON);
}

// What was refused was not said, as far as looking back and undoing go.
function refused({ row, token }) {
  past = past.filter((one) => one.row !== row);
  for (const one of done) one.tokens = one.tokens.filter((other) => other !== token);
  done = done.filter((one) => one.tokens.length);
}

// --- What the person does -----------------------------------------------------------------------

function answer(item, said, { relabel = false, together = 1 } = {}) {
  const seconds = (performance.now() - since) / 1000 / together;
  const body = { row: item.row, said, client, token: newToken(), seconds, relabel };
  meanwhile.add(item.row);
  past = [{ ...item, answer: said }, ...past.filter((one) => one.row !== item.row)];
  return { path: "/api/answer", row: item.row, id: item.id, token: body.token, body };
}

function label(said) {
  if (grid.isOpen) return labelAll(said);
  const item = shownItem();
  if (!item) return say(`${waitingFor(item)}.`);
  if (!pictures.of(item).isReady) return say("Not yet: the picture is loading.");
  if (looking) return relabel(item, said);
  items.shift();
  const thing = answer(item, said);
  show(); // first of all, the next image
  done.push({ items: [item], tokens: [thing.token] });
  outbox.add(thing);
  say(`${said}. Next: ${items[0]?.id ?? "nothing yet"}`);
  fill();
}

function labelAll(said) {
  const chosen = grid.chosen();
  if (!chosen.length) return say("None is marked.");
  if (!grid.isReady) return say("Not yet: pictures are loading.");
  const rows = new Set(chosen.map((item) => item.row));
  items = items.filter((item) => !rows.has(item.row));
  const things = chosen.map((item) => answer(item, said, { together: chosen.length }));
  done.push({ items: chosen, tokens: things.map((thing) => thing.token) });
  leaveGrid();
  outbox.add(...things);
  say(`${said}, ${chosen.length} in one go. Next: ${items[0]?.id ?? "nothing yet"}`);
  fill();
}

async function relabel(item, said) {
  const was = item.answer;
  if (was === said) return say(`It is ${said} already.`);
  if (!(await confirmed(`Change ${item.id} from “${was}” to “${said}”?`))) return;
  const place = past.findIndex((one) => one.row === item.row);
  const thing = answer(item, said, { relabel: true });
  past.splice(place, 0, past.shift()); // it stays where it is looked at
  done.push({ items: [item], tokens: [thing.token], was });
  outbox.add(thing);
  show();
  say(`Changed to ${said}.`);
}

function undo() {
  if (grid.isOpen) return leaveGrid();
  const last = done.pop();
  const tokens = last ? [...last.tokens].reverse() : [null];
  outbox.add(...tokens.map((of) => {
    const body = { client, token: newToken(), of: of ?? "" };
    return { path: "/api/undo", undo: true, of, token: body.token, body };
  }));
  if (last?.was !== undefined) {
    past = past.map((one) => (one.row === last.items[0].row ? { ...one, answer: last.was } : one));
    say(`${last.items[0].id} is ${last.was} again.`);
    show();
  } else if (last) comeBack(last.items);
}

// Items whose answers were taken back are the next ones.
function comeBack(back) {
  const rows = new Set(back.map((item) => item.row));
  const fresh = back.map((item) => ({ ...item, answer: null }));
  items = [...fresh, ...items.filter((item) => !rows.has(item.row))];
  past = past.filter((one) => !rows.has(one.row));
  looking = 0;
  show();
  say(`Undone: ${back[0].id} is to be labeled again.`);
}

async function look(steps) {
  if (looking + steps > past.length) {
    const reply = await ask(`/api/past?client=${client}&count=${PAST}`);
    const known = new Set([...past, ...items].map((one) => one.row));
    past.push(...(reply.data?.items ?? []).filter((item) => !known.has(item.row)));
  }
  if (looking + steps > past.length) return say("There is nothing before this.");
  looking = Math.max(0, looking + steps);
  show();
  say(looking ? `${looking} back: ${shownItem().id}, you said ${shownItem().answer}`
    : `Back at what is to be labeled: ${items[0]?.id ?? ""}`);
}

async function zoom(on = !byId("stage").classList.contains("zoomed")) {
  const stage = byId("stage"), item = shownItem();
  stage.classList.toggle("zoomed", on);
  document.querySelector("[data-do=zoom]").setAttribute("aria-pressed", String(on));
  if (!on || !item) return;
  stage.scrollTo((stage.scrollWidth - stage.clientWidth) / 2, (stage.scrollHeight - stage.clientHeight) / 2);
  const small = stage.querySelector("img"), large = small && (await enlarged(item));
  if (large && stage.firstChild === small) stage.replaceChildren(large);
}

async function openGrid() {
  if (grid.isOpen) return leaveGrid();
  if (looking || !items.length) return;
  const item = items[0];
  const reply = await ask(`/api/alike?client=${client}&row=${item.row}&count=${ALIKE}`);
  const busy = new Set([item.row, ...outbox.rows()]);
  const alike = (reply.data?.items ?? []).filter((one) => !busy.has(one.row)).slice(0, ALIKE - 1);
  if (!alike.length) return say(reply.data?.error ?? "Nothing alike is known.");
  if (items[0] !== item || looking || grid.isOpen || isAsking()) return; // asked twice, or gone on
  grid.open([item, ...alike]);
  pressed("grid", true);
  since = performance.now();
}

function leaveGrid() {
  grid.close();
  pressed("grid", false);
  show();
  byId("stage").focus();
}

function pressed(what, isOn) {
  document.querySelector(`[data-do=${what}]`).setAttribute("aria-pressed", String(isOn));
}

const isZoomed = () => byId("stage").classList.contains("zoomed");

function move(right, down) {
  if (grid.isOpen) grid.move(right, down);
  else if (isZoomed()) byId("stage").scrollBy(160 * right, 160 * down);
  else if (right) look(-right);
}

const ACTIONS = {
  undo,
  skip: () => (grid.isOpen ? grid.move(0, 0) : label("skip")), // there, Space is for the tiles
  unsure: () => label("unsure"),
  broken: () => label("broken"),
  suggested: () => items[0]?.suggestion && !looking && label(items[0].suggestion),
  grid: openGrid,
  zoom: () => !grid.isOpen && shownItem() && zoom(),
  new: () => openClasses(status.page, classes, take),
  find: () => openFind(classes, label),
  help: () => byId("help").showModal(),
  back: () => move(-1, 0),
  forward: () => move(1, 0),
  up: () => move(0, -1),
  down: () => move(0, 1),
  leave: () => {
    if (grid.isOpen) leaveGrid();
    else if (isZoomed()) zoom(false);
    else if (looking) look(-looking);
  },
};

addEventListener("keydown", (event) => {
  if (isAsking()) return;
  const keys = meant(event);
  // A button that the keyboard went to is pressed by these, as everywhere.
  if ([" ", "Enter"].includes(keys[0]) && document.activeElement?.matches("button:focus-visible, #tiles button")) return;
  for (const key of keys) {
    const chosen = key && classes.find((one) => one.key === key);
    const action = chosen ? () => label(chosen.name) : ACTIONS[COMMANDS[key]];
    if (!action) continue;
    event.preventDefault();
    if (!event.repeat || key.startsWith("Arrow")) action(); // a key that is held labels once
    return;
  }
});
for (const button of document.querySelectorAll("[data-do]"))
  button.addEventListener("click", () => ACTIONS[button.dataset.do]());
byId("to-help").addEventListener("click", ACTIONS.help);
// After a click with the mouse the keys are for the picture again.
document.querySelector("main").addEventListener("click", (event) => {
  if (event.detail && !isAsking() && event.target.closest("#classes, #commands")) byId("stage").focus();
});
addEventListener("beforeunload", (event) => {
  if (outbox?.waiting.length && !(isOther && outbox.isKept)) event.preventDefault(); // they wait, but somebody thinks them sent
});
document.addEventListener("visibilitychange", () => (since = performance.now()));

async function begin() {
  while (!status) {
    await refresh();
    if (!status) await wait(SOON);
  }
  outbox = new Outbox(status.page, client, { changed, saved, refused });
  fill();
  byId("stage").focus();
  document.documentElement.dataset.ready = "yes";
  for (;;) {
    await wait(POLL);
    if (!document.hidden) refresh();
  }
}
begin();
